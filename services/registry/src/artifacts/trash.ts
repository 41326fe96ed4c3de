import type { RecordStore } from "@aimass/artifacts";

/** The folder of records beside the artifacts that holds the trash. */
export const trashFolder = "trash";

const markName = /^([0-9a-f]{64})\.(\d+)$/;

/** An artifact that is about to be removed. */
export interface TrashedArtifact {
  readonly sha256: string;
  /** When it was put there, in milliseconds since the epoch. */
  readonly sinceMs: number;
}

/**
 * Artifacts that a collection found unreferenced, as empty records `<digest>.<time>`. They stay where they are and can be read as before until their time in the trash
 * is over: whoever refers to one again needs no copy back, and a database that is put right finds everything.
 */
export class Trash {
  readonly #records: RecordStore;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** What is in it, by digest. Two processes may have put one artifact there at once; the later time counts. */
  async contents(signal?: AbortSignal): Promise<Map<string, TrashedArtifact>> {
    const found = new Map<string, TrashedArtifact>();
    for await (const name of this.#records.names(signal)) {
      const match = markName.exec(name);
      if (match === null) continue;
      const [sha256, sinceMs] = [match[1] as string, Number(match[2])];
      const other = found.get(sha256);
      if (other !== undefined)
        await this.#records.remove(markOf(other.sinceMs < sinceMs ? other : { sha256, sinceMs }));
      if (other === undefined || other.sinceMs < sinceMs) found.set(sha256, { sha256, sinceMs });
    }
    return found;
  }

  async add(artifact: TrashedArtifact): Promise<void> {
    await this.#records.put(markOf(artifact), new Uint8Array(0));
  }

  /** Takes it out of the trash, for it is needed again or gone. */
  async takeOut(artifact: TrashedArtifact): Promise<void> {
    await this.#records.remove(markOf(artifact));
  }
}

function markOf({ sha256, sinceMs }: TrashedArtifact): string {
  return `${sha256}.${sinceMs}`;
}
