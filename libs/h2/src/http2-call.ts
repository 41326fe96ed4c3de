import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import {
  type Answer,
  type BodyRules,
  bodyPieces,
  type HeaderFields,
  type ResponseWriter,
  type ServerCall,
} from "./call.ts";
import { declaredLength, plainFields } from "./fields.ts";
import { readBody, readChunks, truncatedBody } from "./read-body.ts";
import { roundTrip } from "./round-trip.ts";
import { PieceWriter, sendPieces } from "./send-pieces.ts";

/** How long a client that was answered before it had sent its whole body may take to notice. */
const lingerMs = 100;

/** A request that came as a stream of HTTP/2, by node:http2. Its methods check for dead streams, on which node:http2 throws. */
export class Http2Call implements ServerCall {
  readonly protocol = "h2";
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: HeaderFields;
  readonly #stream: ServerHttp2Stream;
  readonly recognize: () => void;
  #controller: AbortController | undefined;
  #isAnswered = false;
  #isBodyRead: boolean;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, recognized: () => void) {
    this.#stream = stream;
    this.recognize = recognized;
    this.method = String(headers[":method"] ?? "GET");
    this.path = String(headers[":path"] ?? "/");
    this.headers = plainFields(headers);
    this.authority = String(headers[":authority"] ?? this.headers.host ?? "");
    this.#isBodyRead = stream.endAfterHeaders;
    stream.on("error", ignore);
  }

  get remoteAddress(): string {
    return this.#stream.session?.socket?.remoteAddress ?? "";
  }

  get isEncrypted(): boolean {
    return this.#stream.session?.encrypted === true;
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    const stream = this.#stream;
    const onClose = () => {
      if (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR || !this.#isAnswered) controller.abort();
    };
    if (stream.destroyed || stream.closed) onClose();
    else stream.once("close", onClose);
    return controller.signal;
  }

  body(limitBytes: number, rules: BodyRules = {}): Promise<Buffer> {
    const declaredBytes = declaredLength(this.headers);
    return readBody(this.#stream, { limitBytes, declaredBytes, rules, isWhole: () => this.#isWhole() });
  }

  chunks(): AsyncIterable<Buffer> {
    return readChunks(this.#stream, () => this.#isWhole());
  }

  async confirmBody(): Promise<void> {
    const { endAfterHeaders, session } = this.#stream;
    if (endAfterHeaders || declaredLength(this.headers) !== undefined) return;
    // An answer to a PING overtakes what waits in the client to be sent, such as the reset; the second answer comes after it.
    const isCertain = session !== undefined && (await roundTrip(session)) && (await roundTrip(session));
    if (!isCertain || !this.#isWhole()) throw truncatedBody();
  }

  respond(answer: Answer): void {
    if (!this.#begin()) return;
    const { trailers } = answer;
    const pieces = bodyPieces(answer.body);
    const endStream = pieces.length === 0 && trailers === undefined;
    if (!this.#sendHeaders(answer.status, answer.headers, { endStream, waitForTrailers: trailers !== undefined }))
      return;
    if (trailers !== undefined) this.#sendTrailersWhenAsked(trailers);
    if (endStream) return;
    sendPieces(this.#stream, pieces);
  }

  open(status: number, headers: HeaderFields): ResponseWriter {
    if (!this.#begin() || !this.#sendHeaders(status, headers, { waitForTrailers: true })) return deadWriter;
    const stream = this.#stream;
    let trailers: HeaderFields = {};
    stream.once("wantTrailers", () => sendTrailers(stream, trailers));
    const writer = new PieceWriter(stream);
    return {
      write: (chunk) => writer.write(bodyPieces(chunk)),
      end: (fields) =>
        writer.end(() => {
          if (stream.destroyed || stream.writableEnded) return;
          trailers = fields ?? {};
          stream.end();
        }),
      // A clean end comes first, unless the stream waits for trailers as this one does: then the code resets it.
      reset: () => {
        if (!stream.destroyed) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      },
    };
  }

  #isWhole(): boolean {
    const stream = this.#stream;
    this.#isBodyRead =
      !stream.destroyed &&
      !stream.aborted &&
      (stream.rstCode === undefined || stream.rstCode === constants.NGHTTP2_NO_ERROR);
    return this.#isBodyRead;
  }

  #begin(): boolean {
    const stream = this.#stream;
    if (this.#isAnswered || stream.destroyed || stream.closed) return false;
    this.#isAnswered = true;
    if (!this.#isBodyRead) this.#closeAfterAnswer();
    return true;
  }

  #sendHeaders(
    status: number,
    headers: HeaderFields,
    options: { endStream?: boolean; waitForTrailers?: boolean },
  ): boolean {
    try {
      this.#stream.respond({ ":status": status, ...headers }, options);
      return true;
    } catch {
      this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      return false;
    }
  }

  #sendTrailersWhenAsked(trailers: HeaderFields): void {
    const stream = this.#stream;
    stream.once("wantTrailers", () => sendTrailers(stream, trailers));
  }

  /** The rest of a body nobody reads would hold the stream open for ever: RFC 9113, 8.1 lets a server stop it with NO_ERROR after the answer. */
  #closeAfterAnswer(): void {
    const stream = this.#stream;
    stream.once("finish", () => {
      setTimeout(() => {
        if (!stream.destroyed && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
      }, lingerMs).unref();
    });
  }
}

/** Takes the place of a writer when the client has gone. */
const deadWriter: ResponseWriter = { write: () => undefined, end: () => {}, reset: () => {} };

function sendTrailers(stream: ServerHttp2Stream, trailers: HeaderFields): void {
  try {
    if (!stream.destroyed) stream.sendTrailers(trailers);
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

function ignore(): void {}
