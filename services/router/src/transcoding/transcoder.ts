import { ownMemory, ThreadLane } from "@aimass/core";
import { type Transcoding, transcode } from "./transcode.ts";

/** From this size on it is done on a thread, in bytes: small objects in JSON take a second a megabyte. */
const threadFrom: Record<Transcoding, number> = {
  "request from JSON": 16 * 1024,
  "answer to JSON": 256 * 1024,
  "from base64": 1024 * 1024,
  "to base64": 1024 * 1024,
};

/** Transcodes bodies and answers: small ones here and now, large ones on a thread, so that nobody else waits for them. */
export class Transcoder implements AsyncDisposable {
  readonly #lane = new ThreadLane<{ what: Transcoding; bytes: Uint8Array }, Uint8Array>(
    new URL("./transcoder-thread.ts", import.meta.url),
  );

  /** The memory of large bytes changes hands. Rejects as `transcode` throws; with CANCELLED when the caller gives up before it begins. */
  async run(what: Transcoding, bytes: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    const made =
      bytes.byteLength < threadFrom[what] ? transcode(what, bytes) : await this.#onThread(what, bytes, signal);
    return Buffer.from(made.buffer, made.byteOffset, made.byteLength);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lane[Symbol.asyncDispose]();
  }

  async #onThread(what: Transcoding, given: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await ownMemory(given);
    return this.#lane.ask({ what, bytes }, [bytes.buffer as ArrayBuffer], signal);
  }
}
