import type { KeyObject } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Clock } from "@aimass/core";
import { importPublicJwk } from "./ed25519.ts";
import { isTrustDocument, type TrustDocument } from "./identity-document.ts";

interface TrustedKey {
  readonly role: string;
  readonly node?: string;
  readonly revoked: boolean;
  readonly key: KeyObject;
}

/** The file is looked at no more often, in milliseconds. */
const lookEveryMs = 1000;

/** The public keys of the mesh by id, as their file says now: nothing has to be restarted when a machine comes or its key is revoked. */
export class TrustedKeys {
  readonly #clock: Clock;
  readonly #file: string | undefined;
  #keys: ReadonlyMap<string, TrustedKey>;
  #generation = 0;
  #stamp: string | undefined;
  #lookedAt: number;

  constructor(trust: TrustDocument, o: { clock: Clock; file: string | undefined }) {
    this.#clock = o.clock;
    this.#file = o.file;
    this.#keys = keysOf(trust);
    this.#lookedAt = o.clock.monotonic();
  }

  find(keyId: string): TrustedKey | undefined {
    return this.#keys.get(keyId);
  }

  hasKeyOf(role: string, node: string | undefined): boolean {
    return [...this.#keys.values()].some((key) => key.role === role && key.node === node && !key.revoked);
  }

  /** Looks at the file; a number that grows when the keys are others. A file that cannot be read, or is none, changes nothing: it may be half written. */
  refresh(): number {
    const now = this.#clock.monotonic();
    if (this.#file !== undefined && now - this.#lookedAt >= lookEveryMs) this.#look(this.#file, now);
    return this.#generation;
  }

  #look(file: string, now: number): void {
    this.#lookedAt = now;
    try {
      const { mtimeMs, ino, size } = statSync(file);
      const stamp = `${mtimeMs} ${ino} ${size}`;
      if (stamp === this.#stamp) return;
      const value: unknown = JSON.parse(readFileSync(file, "utf8"));
      if (!isTrustDocument(value)) return;
      this.#keys = keysOf(value);
      this.#stamp = stamp;
      this.#generation += 1;
    } catch {
      // What is known goes on.
    }
  }
}

function keysOf(trust: TrustDocument): ReadonlyMap<string, TrustedKey> {
  return new Map(
    trust.keys.map(({ keyId, role, node, revoked, publicJwk }) => [
      keyId,
      { role, revoked: revoked === true, key: importPublicJwk(publicJwk), ...(node !== undefined && { node }) },
    ]),
  );
}
