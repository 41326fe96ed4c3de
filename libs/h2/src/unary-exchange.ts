import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import { joinPieces } from "@aimass/core";
import type { HeaderFields } from "./call.ts";
import type { UnaryRequest, UnaryResult } from "./client-call.ts";
import { plainFields } from "./fields.ts";
import { failureOf } from "./stream-failure.ts";
import { TransportError } from "./transport-error.ts";

/** One unary call on a stream of node:http2: collects the answer and settles once. */
export class UnaryExchange {
  readonly #stream: ClientHttp2Stream;
  readonly #request: UnaryRequest;
  readonly #resolve: (result: UnaryResult) => void;
  readonly #reject: (error: TransportError) => void;
  readonly #cancel: (stream: ClientHttp2Stream) => void;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #status = 0;
  #headers: HeaderFields = {};
  #trailers: HeaderFields = {};
  #timeout: NodeJS.Timeout | undefined;
  #isSettled = false;

  constructor(options: {
    stream: ClientHttp2Stream;
    request: UnaryRequest;
    resolve: (result: UnaryResult) => void;
    reject: (error: TransportError) => void;
    cancel: (stream: ClientHttp2Stream) => void;
  }) {
    this.#stream = options.stream;
    this.#request = options.request;
    this.#resolve = options.resolve;
    this.#reject = options.reject;
    this.#cancel = options.cancel;
  }

  start(): void {
    const stream = this.#stream;
    const session = stream.session as ClientHttp2Session | undefined;
    stream.on("response", (headers) => this.#onResponse(headers));
    stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    stream.on("trailers", (trailers) => {
      this.#trailers = plainFields(trailers);
    });
    stream.on("end", () => this.#onEnd(session));
    stream.on("error", () => {});
    stream.on("close", () => this.#fail(failureOf(stream, session)));
    const { signal, timeoutMs, body } = this.#request;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs !== undefined) this.#timeout = setTimeout(() => this.#onTimeout(), Math.min(timeoutMs, 2 ** 31 - 1));
    if (body.length === 0) stream.end();
    else stream.end(body);
  }

  #onResponse(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    this.#status = Number(headers[":status"]);
    this.#headers = plainFields(headers);
  }

  #onData(chunk: Buffer): void {
    if (this.#isSettled) return;
    this.#size += chunk.length;
    this.#chunks.push(chunk);
  }

  #onEnd(session: ClientHttp2Session | undefined): void {
    const stream = this.#stream;
    const isWhole =
      !session?.destroyed &&
      !stream.aborted &&
      (stream.rstCode ?? 0) === constants.NGHTTP2_NO_ERROR &&
      this.#status !== 0;
    if (!isWhole || this.#isSettled) return;
    this.#settle();
    const answer = { status: this.#status, headers: this.#headers, trailers: this.#trailers };
    const body = joinPieces(this.#chunks, this.#size);
    if (Buffer.isBuffer(body)) this.#resolve({ ...answer, body });
    else void body.then((joined) => this.#resolve({ ...answer, body: joined }));
  }

  readonly #onAbort = (): void => {
    this.#giveUp(new TransportError("cancelled", "The call was cancelled.", true));
  };

  #onTimeout(): void {
    this.#giveUp(new TransportError("timeout", `No answer came within ${this.#request.timeoutMs} ms.`, true));
  }

  #giveUp(error: TransportError): void {
    if (this.#isSettled) return;
    this.#fail(error);
    this.#chunks.length = 0;
    this.#cancel(this.#stream);
  }

  #fail(error: TransportError): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.#isSettled = true;
    clearTimeout(this.#timeout);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }
}
