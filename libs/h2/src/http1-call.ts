import type { IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
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
import { PieceWriter, sendPieces } from "./send-pieces.ts";

/** How long the rest of a body that nobody wants is read and thrown away. */
const lingerMs = 2000;

/** A request that came by HTTP/1.1, by node:http. */
export class Http1Call implements ServerCall {
  readonly protocol = "http/1.1";
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: HeaderFields;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #isDraining: () => boolean;
  readonly recognize: () => void;
  #controller: AbortController | undefined;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    connection: { isDraining: () => boolean; recognized: () => void },
  ) {
    this.#request = request;
    this.#response = response;
    this.#isDraining = connection.isDraining;
    this.recognize = connection.recognized;
    this.method = request.method ?? "GET";
    const headers = plainFields(request.headers);
    const { path, host } = readTarget(request.url ?? "/");
    this.path = path;
    this.headers = host === undefined ? headers : { ...headers, host };
    this.authority = this.headers.host ?? "";
    request.on("error", ignore);
    response.on("error", ignore);
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? "";
  }

  get isEncrypted(): boolean {
    return this.#request.socket instanceof TLSSocket;
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    const onClose = () => {
      if (!this.#response.writableFinished) controller.abort();
    };
    if (this.#response.destroyed) onClose();
    else this.#response.once("close", onClose);
    return controller.signal;
  }

  body(limitBytes: number, rules: BodyRules = {}): Promise<Buffer> {
    const declaredBytes = declaredLength(this.headers);
    return readBody(this.#request, { limitBytes, declaredBytes, rules, isWhole: () => this.#request.complete });
  }

  chunks(): AsyncIterable<Buffer> {
    return readChunks(this.#request, () => this.#request.complete);
  }

  /** Chunked coding has an end of its own; `body` and `chunks` have looked at it. */
  async confirmBody(): Promise<void> {
    if (!this.#request.complete) throw truncatedBody();
  }

  respond(answer: Answer): void {
    const { trailers } = answer;
    const pieces = bodyPieces(answer.body);
    if (trailers !== undefined) {
      const writer = this.open(answer.status, answer.headers);
      void writer.write(pieces);
      writer.end(trailers);
      return;
    }
    const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    const mayHaveBody = answer.status >= 200 && answer.status !== 204 && answer.status !== 304;
    if (
      !this.#sendHeaders(
        answer.status,
        mayHaveBody ? { "content-length": String(length), ...answer.headers } : answer.headers,
      )
    )
      return;
    if (this.#hasUnreadBody()) {
      this.#endAfterBody(pieces);
      return;
    }
    sendPieces(this.#response, pieces);
  }

  open(status: number, headers: HeaderFields): ResponseWriter {
    const response = this.#response;
    if (!this.#sendHeaders(status, headers)) return { write: () => undefined, end: () => {}, reset: () => {} };
    const writer = new PieceWriter(response);
    return {
      write: (chunk) => writer.write(bodyPieces(chunk)),
      end: (trailers) =>
        writer.end(() => {
          if (response.destroyed || response.writableEnded) return;
          if (trailers !== undefined && Object.keys(trailers).length > 0) addTrailers(response, trailers);
          response.end();
        }),
      reset: () => response.destroy(),
    };
  }

  #hasUnreadBody(): boolean {
    const { "content-length": length, "transfer-encoding": encoding } = this.headers;
    return !this.#request.complete && ((length !== undefined && length !== "0") || encoding !== undefined);
  }

  /** Most clients read no answer before they have sent everything, and closing at once would reset the connection under them. */
  #endAfterBody(pieces: readonly Uint8Array[]): void {
    const [request, response] = [this.#request, this.#response];
    for (const piece of pieces) response.write(piece);
    const timeout = setTimeout(() => response.end(), lingerMs);
    request.once("close", () => {
      clearTimeout(timeout);
      response.end();
    });
    request.resume();
  }

  #sendHeaders(status: number, headers: HeaderFields): boolean {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return false;
    const closes = this.#hasUnreadBody() || this.#isDraining();
    try {
      // A connection whose request was not read to its end cannot carry another one.
      response.writeHead(status, closes ? { connection: "close", ...headers } : headers);
      return true;
    } catch {
      response.destroy();
      return false;
    }
  }
}

function addTrailers(response: ServerResponse, trailers: HeaderFields): void {
  try {
    response.addTrailers(trailers);
  } catch {
    response.destroy();
  }
}

function ignore(): void {}

const absoluteForm = /^https?:\/\/([^/?#]+)([^#]*)/i;

/** What a request asks for, as a path or as a whole address, whose host then counts instead of the field Host (RFC 9112, sections 3.2.1 and 3.2.2). */
function readTarget(target: string): { readonly path: string; readonly host?: string } {
  const [, host, rest = ""] = absoluteForm.exec(target) ?? [];
  if (host === undefined) return { path: target };
  return { path: rest.startsWith("/") ? rest : `/${rest}`, host };
}
