import { createHash, type Hash } from "node:crypto";
import { AimassError, type Clock, KeyedLock } from "@aimass/core";
import type { Upload, UploadPlan } from "./artifact-store.ts";
import { digestMismatch, offsetMismatch, uploadNotFound } from "./errors.ts";
import { type StagedUpload, type StagedWriter, type Staging, StagingMoved } from "./staging.ts";

export interface ResumableUploadsOptions {
  readonly staging: Staging;
  readonly clock: Clock;
  /** How long an upload may be left alone, in milliseconds. */
  readonly ttlMs: number;
  /** Uploads whose running digest is kept in memory; others are read back when they go on. Default 32. */
  readonly maxSessions?: number;
}

/** What this process knows of an upload: the digest so far, and how to go on. */
interface Session {
  readonly plan: UploadPlan;
  readonly hash: Hash;
  readonly writer: StagedWriter;
  receivedBytes: number;
}

const uploadId = /^[0-9a-f]{32}$/;

/**
 * Resumable uploads over a Staging: hashes while bytes come in, keeps order, and hands over only verified bytes. What was received is found again after a
 * restart by reading it back once, because a running SHA-256 cannot be written down.
 */
export class ResumableUploads {
  readonly #staging: Staging;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #maxSessions: number;
  readonly #locks = new KeyedLock();
  /** In order of last use. */
  readonly #sessions = new Map<string, Session>();

  constructor(options: ResumableUploadsOptions) {
    this.#staging = options.staging;
    this.#clock = options.clock;
    this.#ttlMs = options.ttlMs;
    this.#maxSessions = options.maxSessions ?? 32;
  }

  begin(plan: UploadPlan): Promise<Upload> {
    const id = idOf(plan);
    return this.#locks.run(id, async () => {
      const open = await this.#find(id);
      if (open !== undefined) return open;
      this.#sessions.delete(id);
      await this.#staging.create(id, plan);
      return this.#describe(id, { plan, keptBytes: 0, touchedAtMs: this.#clock.now() });
    });
  }

  async find(id: string): Promise<Upload | undefined> {
    return uploadId.test(id) ? this.#locks.run(id, () => this.#find(id)) : undefined;
  }

  append(id: string, offset: number, chunk: Uint8Array): Promise<number> {
    return this.#change(id, async (session) => {
      if (offset !== session.receivedBytes) throw offsetMismatch(session.receivedBytes, offset);
      assertFits(session, chunk);
      await session.writer.write(chunk);
      session.hash.update(chunk);
      session.receivedBytes += chunk.byteLength;
      return session.receivedBytes;
    });
  }

  finish(id: string): Promise<void> {
    return this.#change(id, async (session) => {
      assertWhole(session);
      const actual = session.hash.copy().digest("hex");
      if (actual !== session.plan.sha256) {
        await this.#forget(id);
        throw digestMismatch(session.plan.sha256, actual);
      }
      await session.writer.commit();
      this.#sessions.delete(id);
    });
  }

  async drop(id: string): Promise<void> {
    if (uploadId.test(id)) await this.#locks.run(id, () => this.#forget(id));
  }

  async dropExpired(): Promise<number> {
    let dropped = 0;
    for await (const id of this.#staging.ids()) {
      await this.#locks.run(id, async () => {
        const staged = await this.#staging.find(id);
        if (staged !== undefined && !this.#isExpired(staged)) return;
        await this.#forget(id);
        if (staged !== undefined) dropped += 1;
      });
    }
    return dropped;
  }

  /** Runs a change; when it finds the storage moved on, once more from what is there. Anything unexpected makes this process forget what it knew. */
  async #change<T>(id: string, work: (session: Session) => Promise<T>): Promise<T> {
    if (!uploadId.test(id)) throw uploadNotFound();
    return this.#locks.run(id, async () => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await work(await this.#session(id));
        } catch (error) {
          if (error instanceof StagingMoved) {
            this.#sessions.delete(id);
            if (attempt === 1) continue;
            throw new AimassError("ABORTED", "The upload is written to from two sides at once.", {
              reason: "UPLOAD_OFFSET",
              remedy: "Start the upload again and let one side go on.",
            });
          }
          if (error instanceof AimassError && error.code === "RESOURCE_EXHAUSTED") await this.#forget(id);
          else if (!leavesUntouched(error)) this.#sessions.delete(id);
          throw error;
        }
      }
    });
  }

  async #session(id: string): Promise<Session> {
    const known = this.#sessions.get(id);
    if (known !== undefined) {
      this.#remember(id, known);
      return known;
    }
    const staged = await this.#staging.find(id);
    if (staged === undefined || this.#isExpired(staged)) throw uploadNotFound();
    const hash = createHash("sha256");
    const writer = await this.#staging.open(id, staged, (chunk) => hash.update(chunk));
    const session = { plan: staged.plan, hash, writer, receivedBytes: writer.keptBytes };
    this.#remember(id, session);
    return session;
  }

  async #find(id: string): Promise<Upload | undefined> {
    const staged = await this.#staging.find(id);
    if (staged === undefined) this.#sessions.delete(id);
    if (staged === undefined || this.#isExpired(staged)) return undefined;
    if (this.#sessions.get(id)?.writer.keptBytes !== staged.keptBytes) this.#sessions.delete(id);
    return this.#describe(id, staged);
  }

  #describe(id: string, staged: StagedUpload): Upload {
    return {
      ...staged.plan,
      id,
      receivedBytes: this.#sessions.get(id)?.receivedBytes ?? staged.keptBytes,
      expiresAtMs: staged.touchedAtMs + this.#ttlMs,
    };
  }

  #isExpired(staged: StagedUpload): boolean {
    return this.#clock.now() >= staged.touchedAtMs + this.#ttlMs;
  }

  #remember(id: string, session: Session): void {
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= this.#maxSessions) return;
      this.#sessions.delete(oldest);
    }
  }

  async #forget(id: string): Promise<void> {
    this.#sessions.delete(id);
    await this.#staging.drop(id);
  }
}

/** Whether the error was found before anything was written, so that what this process knows still holds. */
function leavesUntouched(error: unknown): boolean {
  return error instanceof AimassError && ["ABORTED", "INVALID_ARGUMENT", "FAILED_PRECONDITION"].includes(error.code);
}

/** The same plan has the same id, so a repeat finds the open upload without an index. */
function idOf(plan: UploadPlan): string {
  return createHash("sha256").update(`${plan.sha256}\0${plan.sizeBytes}\0${plan.owner}`).digest("hex").slice(0, 32);
}

function assertFits(session: Session, chunk: Uint8Array): void {
  const end = session.receivedBytes + chunk.byteLength;
  if (end <= session.plan.sizeBytes) return;
  throw new AimassError(
    "INVALID_ARGUMENT",
    `The chunk ends at byte ${end}, but ${session.plan.sizeBytes} bytes were announced.`,
    { field: "chunk", remedy: "Start an upload with the artifact's true size." },
  );
}

function assertWhole(session: Session): void {
  if (session.receivedBytes === session.plan.sizeBytes) return;
  throw new AimassError(
    "FAILED_PRECONDITION",
    `The upload has ${session.receivedBytes} of ${session.plan.sizeBytes} bytes.`,
    { reason: "UPLOAD_UNFINISHED", remedy: "Send the rest." },
  );
}
