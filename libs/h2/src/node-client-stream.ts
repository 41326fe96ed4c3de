import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import type { HeaderFields } from "./call.ts";
import type { ClientStream } from "./client-call.ts";
import { plainFields } from "./fields.ts";
import { whenWritable } from "./send-pieces.ts";
import { failureOf } from "./stream-failure.ts";
import { TransportError } from "./transport-error.ts";

/** A streaming call by node:http2. */
export class NodeClientStream implements ClientStream {
  readonly response: Promise<{ status: number; headers: HeaderFields }>;
  readonly trailers: Promise<HeaderFields>;
  readonly #stream: ClientHttp2Stream;
  readonly #session: ClientHttp2Session | undefined;
  readonly #cancel: (stream: ClientHttp2Stream) => void;
  #isCancelled = false;

  constructor(options: {
    stream: ClientHttp2Stream;
    signal: AbortSignal | undefined;
    cancel: (stream: ClientHttp2Stream) => void;
  }) {
    const { stream, signal } = options;
    this.#stream = stream;
    this.#cancel = options.cancel;
    this.#session = stream.session as ClientHttp2Session | undefined;
    stream.on("error", () => {});
    this.response = new Promise((resolve, reject) => {
      stream.once("response", (headers) =>
        resolve({ status: Number(headers[":status"]), headers: plainFields(headers) }),
      );
      stream.once("close", () => reject(this.#failure()));
    });
    this.trailers = new Promise((resolve, reject) => {
      stream.once("trailers", (trailers) => resolve(plainFields(trailers)));
      stream.once("end", () => (this.#isWhole() ? resolve({}) : undefined));
      stream.once("close", () => reject(this.#failure()));
    });
    this.response.catch(() => {});
    this.trailers.catch(() => {});
    const onAbort = () => this.reset();
    signal?.addEventListener("abort", onAbort, { once: true });
    stream.once("close", () => signal?.removeEventListener("abort", onAbort));
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    const stream = this.#stream;
    if (this.#isCancelled || stream.destroyed || stream.writableEnded || stream.write(chunk)) return undefined;
    return whenWritable(stream);
  }

  end(): void {
    // A call that was given up stays without its end, also while its reset is still owed.
    if (!this.#isCancelled && !this.#stream.destroyed) this.#stream.end();
  }

  async *chunks(): AsyncIterable<Buffer> {
    const stream = this.#stream;
    try {
      if (!stream.destroyed)
        for await (const chunk of stream.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
    } catch {
      throw this.#failure();
    }
    if (!this.#isWhole()) throw this.#failure();
  }

  reset(): void {
    if (this.#isCancelled || this.#stream.destroyed) return;
    this.#isCancelled = true;
    this.#cancel(this.#stream);
  }

  #isWhole(): boolean {
    if (this.#session?.destroyed) return false;
    return !this.#isCancelled && !this.#stream.aborted && (this.#stream.rstCode ?? 0) === constants.NGHTTP2_NO_ERROR;
  }

  #failure(): TransportError {
    return this.#isCancelled
      ? new TransportError("cancelled", "The call was cancelled.", true)
      : failureOf(this.#stream, this.#session);
  }
}
