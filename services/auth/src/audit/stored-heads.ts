import type { RecordStore } from "@aimass/artifacts";
import type { AuthStore } from "../database.ts";
import { fromLine, fromRow, type HeadLine, type SignedHead, toLine } from "./signed-head.ts";

/** The folder of the artifact store that holds the heads. */
export const headsFolder = "audit-heads";

/** An artifact store that takes longer is tried again later. */
const writeTimeoutMs = 10_000;

/**
 * The ledger's heads in the artifact store, one record a head: `<sequence, 20 digits>-<hash>.json`. Whoever can write to the database alone cannot take them
 * back, and another head of the same entry gets a name of its own.
 */
export class StoredHeads {
  readonly #store: AuthStore;
  readonly #records: RecordStore;
  /** The newest head that this process has written; undefined: none yet. */
  #written: bigint | undefined;

  constructor(store: AuthStore, records: RecordStore) {
    this.#store = store;
    this.#records = records;
  }

  /**
   * Writes the heads that came to the database since the last one it wrote; the first time the newest alone, which stands for all before it. A head that could
   * not be written is the first of the next call. Several processes write the same bytes under the same names.
   */
  async export(signal: AbortSignal): Promise<void> {
    for (const head of await this.#unwritten()) {
      const bytes = Buffer.from(JSON.stringify(toLine(head)));
      await this.#records.put(nameOf(head), bytes, AbortSignal.any([signal, AbortSignal.timeout(writeTimeoutMs)]));
      this.#written = head.sequence;
    }
  }

  /** The heads in the artifact store that are not among the known ones. A record that does not say what its name says comes without a signature that holds. */
  async beside(known: readonly SignedHead[], signal: AbortSignal): Promise<SignedHead[]> {
    const names = new Set(known.map(nameOf));
    const found: SignedHead[] = [];
    for await (const name of this.#records.names(signal)) {
      const [, sequence, hash] = /^(\d{20})-([0-9a-f]{64})\.json$/.exec(name) ?? [];
      if (sequence === undefined || hash === undefined || names.has(name)) continue;
      const bytes = await this.#records.get(name, signal);
      if (bytes !== undefined) found.push(fromLine({ ...readSignature(bytes), sequence, hash }));
    }
    return found;
  }

  async #unwritten(): Promise<SignedHead[]> {
    const heads = this.#store.db.selectFrom("audit_head").selectAll();
    const rows =
      this.#written === undefined
        ? await heads.orderBy("sequence", "desc").limit(1).execute()
        : await heads.where("sequence", ">", this.#written.toString()).orderBy("sequence").execute();
    return rows.map(fromRow);
  }
}

function nameOf(head: SignedHead): string {
  return `${head.sequence.toString().padStart(20, "0")}-${Buffer.from(head.hash).toString("hex")}.json`;
}

/** What a record says beside its name; nobody's signature when it is not a head. */
function readSignature(bytes: Uint8Array): Pick<HeadLine, "signedAt" | "keyId" | "signature"> {
  const nobody = { signedAt: new Date(0).toISOString(), keyId: "", signature: "" };
  try {
    const { signedAt, keyId, signature } = JSON.parse(Buffer.from(bytes).toString("utf8")) as HeadLine;
    const isHead = !Number.isNaN(Date.parse(signedAt)) && typeof signature === "string";
    return isHead ? { signedAt, keyId, signature } : nobody;
  } catch {
    return nobody;
  }
}
