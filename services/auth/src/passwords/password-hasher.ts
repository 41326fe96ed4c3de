import { randomBytes } from "node:crypto";
import { AimassError, Semaphore } from "@aimass/core";
import { hash, verify } from "@node-rs/argon2";

/** Argon2id (RFC 9106) with the parameters OWASP's Password Storage Cheat Sheet lists first. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** Who comes when this many wait is sent away: a queue of hashes is a queue of whole processors. */
const longestQueue = 64;
const shortest = 12;
const longest = 256;

/** Hashes and checks passwords, a few at a time. */
export class PasswordHasher {
  readonly #places: Semaphore;
  /** Checked when there is no user, so that a wrong name takes as long as a wrong password. */
  readonly #decoy = hash(randomBytes(16), parameters);

  constructor(concurrency: number) {
    this.#places = new Semaphore(concurrency);
  }

  /** The hash to keep, in PHC string format. Throws INVALID_ARGUMENT for a password that is too short or too long. */
  async hash(password: string, field: string): Promise<string> {
    assertPassword(password, field);
    return await this.#run(() => hash(password.normalize("NFKC"), parameters));
  }

  /** Whether a password is the one hashed; false without a hash, after the same time. */
  async verify(password: string, kept: string | null | undefined): Promise<boolean> {
    const against = kept ?? (await this.#decoy);
    const fits = await this.#run(() => verify(against, password.slice(0, longest).normalize("NFKC")));
    return fits && typeof kept === "string";
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#places.waiting >= longestQueue) {
      throw new AimassError("RESOURCE_EXHAUSTED", "Too many passwords are being checked at this moment.", {
        reason: "PASSWORD_QUEUE",
        retryAfterMs: 2000,
        remedy: "Try again in 2 seconds.",
      });
    }
    return this.#places.run(work);
  }
}

/** Throws INVALID_ARGUMENT for a password that is too short or too long. */
export function assertPassword(password: string, field: string): void {
  if (password.length >= shortest && password.length <= longest) return;
  const message =
    password.length < shortest
      ? `The password has ${password.length} characters; it must have at least ${shortest}.`
      : `The password has ${password.length} characters; it may have at most ${longest}.`;
  throw new AimassError("INVALID_ARGUMENT", message, { field, reason: "PASSWORD_LENGTH" });
}
