import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Clock } from "@aimass/core";
import type { UploadPlan } from "./artifact-store.ts";
import { isPreconditionFailed, type S3Bucket } from "./s3-bucket.ts";
import { type StagedUpload, type StagedWriter, type Staging, StagingMoved } from "./staging.ts";

export interface S3StagingOptions {
  readonly bucket: S3Bucket;
  readonly keyOf: (sha256: string) => string;
  readonly clock: Clock;
  /** Bytes of one segment. The least a part may have is 5 MiB on AWS. */
  readonly segmentBytes: number;
}

interface Segment {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
}

/** A plan as it is written down. S3 keeps the time of its own clock only, so ours is in the name of what is written last. */
interface PlanFile extends UploadPlan {
  readonly startedAtMs: number;
}

/**
 * Unfinished uploads as objects: `uploads/<id>/plan.json` and one object a full segment, `uploads/<id>/<offset>-<time>`. Bytes of a segment that is not
 * full yet live in memory only: after a restart an upload goes on from the last full segment. Objects that were uploaded so can be read back and hashed,
 * which parts of an S3 multipart upload cannot.
 */
export class S3Staging implements Staging {
  readonly #options: S3StagingOptions;

  constructor(options: S3StagingOptions) {
    this.#options = options;
  }

  async create(id: string, plan: UploadPlan): Promise<void> {
    await this.drop(id);
    const file: PlanFile = { ...plan, startedAtMs: this.#options.clock.now() };
    await this.#options.bucket.put(planKey(id), Buffer.from(JSON.stringify(file)));
  }

  async find(id: string): Promise<StagedUpload | undefined> {
    const body = await this.#options.bucket.get(planKey(id));
    if (body === undefined) return undefined;
    const { startedAtMs, ...plan } = JSON.parse((await buffer(body)).toString("utf8")) as PlanFile;
    const segments = await this.#segments(id);
    const touchedAtMs = segments.reduce((latest, segment) => Math.max(latest, writtenAt(segment)), startedAtMs);
    return { plan, keptBytes: total(segments), touchedAtMs };
  }

  async open(id: string, staged: StagedUpload, seen: (chunk: Uint8Array) => void): Promise<StagedWriter> {
    const segments = await this.#segments(id);
    for (const segment of segments) {
      const body = await this.#options.bucket.get(segment.key);
      if (body === undefined) throw new StagingMoved();
      for await (const chunk of body as Readable) seen(chunk as Uint8Array);
    }
    return new S3Writer(this.#options, { id, plan: staged.plan, segments, drop: () => this.drop(id) });
  }

  async drop(id: string): Promise<void> {
    for await (const { key } of this.#options.bucket.list(`uploads/${id}/`)) {
      if (key !== planKey(id)) await this.#options.bucket.remove(key);
    }
    await this.#options.bucket.remove(planKey(id));
  }

  async *ids(): AsyncIterable<string> {
    for await (const { key } of this.#options.bucket.list("uploads/")) {
      const id = /^uploads\/([0-9a-f]{32})\/plan\.json$/.exec(key)?.[1];
      if (id !== undefined) yield id;
    }
  }

  /** The segments that follow one another without a gap from byte 0. */
  async #segments(id: string): Promise<Segment[]> {
    const byOffset = new Map<number, Segment>();
    for await (const object of this.#options.bucket.list(`uploads/${id}/`)) {
      const offset = /\/(\d+)-\d+$/.exec(object.key)?.[1];
      if (offset !== undefined) byOffset.set(Number(offset), object);
    }
    const segments: Segment[] = [];
    for (let end = 0, next = byOffset.get(0); next !== undefined; next = byOffset.get(end)) {
      segments.push(next);
      end += next.sizeBytes;
      if (next.sizeBytes === 0) break;
    }
    return segments;
  }
}

interface S3WriterState {
  readonly id: string;
  readonly plan: UploadPlan;
  readonly segments: readonly Segment[];
  readonly drop: () => Promise<void>;
}

class S3Writer implements StagedWriter {
  readonly #options: S3StagingOptions;
  readonly #state: S3WriterState;
  readonly #segments: Segment[];
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(options: S3StagingOptions, state: S3WriterState) {
    this.#options = options;
    this.#state = state;
    this.#segments = [...state.segments];
  }

  get keptBytes(): number {
    return total(this.#segments);
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.byteLength; ) {
      const piece = chunk.subarray(from, from + this.#options.segmentBytes - this.#pendingBytes);
      // Copied: the chunk may be a view of a larger buffer, which would stay in memory as long as the segment does.
      this.#pending.push(Uint8Array.from(piece));
      this.#pendingBytes += piece.byteLength;
      from += piece.byteLength;
      if (this.#pendingBytes === this.#options.segmentBytes) await this.#flush();
    }
  }

  /** A small artifact goes straight to its place; a large one is put together from its segments inside the storage, by the very objects hashed. */
  async commit(): Promise<void> {
    const target = this.#options.keyOf(this.#state.plan.sha256);
    if (this.#segments.length === 0) {
      await this.#options.bucket.put(target, Buffer.concat(this.#pending));
    } else {
      if (this.#pendingBytes > 0) await this.#flush();
      await this.#options.bucket.concatenate(target, this.#segments).catch((error: unknown) => {
        throw isPreconditionFailed(error) ? new StagingMoved() : error;
      });
    }
    await this.#state.drop();
  }

  async #flush(): Promise<void> {
    const body = Buffer.concat(this.#pending);
    const key = `uploads/${this.#state.id}/${this.keptBytes}-${this.#options.clock.now()}`;
    const { etag } = await this.#options.bucket.put(key, body);
    this.#segments.push({ key, sizeBytes: body.byteLength, etag });
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

function planKey(id: string): string {
  return `uploads/${id}/plan.json`;
}

function writtenAt(segment: Segment): number {
  return Number(/-(\d+)$/.exec(segment.key)?.[1] ?? 0);
}

function total(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
}
