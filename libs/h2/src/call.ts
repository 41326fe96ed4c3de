/** Header fields by lower-case name; repeated fields are joined by ", ". Pseudo fields are not among them. */
export type HeaderFields = Readonly<Record<string, string>>;

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderFields;
  /** Whole, or in pieces that are sent as they are, one behind the other: nobody has to join what is large. */
  readonly body?: Uint8Array | readonly Uint8Array[];
  /** Sent after the body; over HTTP/1.1 as chunked trailers. */
  readonly trailers?: HeaderFields;
}

/** The pieces of a body that have any bytes. */
export function bodyPieces(body: Answer["body"]): readonly Uint8Array[] {
  if (body === undefined) return [];
  return (body instanceof Uint8Array ? [body] : body).filter(({ byteLength }) => byteLength > 0);
}

/** Counts the bytes of bodies while they are read, to bound what many requests hold together. */
export interface BodyMeter {
  /** Bytes came. False: there is no room for them, and the body is refused. */
  add(bytes: number): boolean;
  /** Bytes were let go. */
  remove(bytes: number): void;
}

/** What is asked of a body while it comes. */
export interface BodyRules {
  /** Counts it. */
  readonly meter?: BodyMeter;
  /** How long the whole of it may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** Least bytes in each ten seconds; a slower body is refused. */
  readonly leastBytes?: number;
  /** Looks at the beginning once 64 KiB of it have come and more follows. What it throws refuses the rest. */
  readonly onStart?: (start: Buffer) => void;
}

/** One request as a server sees it, whatever HTTP it came by. No method throws because the client has gone. */
export interface ServerCall {
  readonly protocol: "http/1.1" | "h2";
  readonly method: string;
  /** Path with query, as sent. */
  readonly path: string;
  /** The host the client meant: `:authority` or `Host`. */
  readonly authority: string;
  readonly headers: HeaderFields;
  readonly remoteAddress: string;
  /** Whether it came by TLS to this listener. */
  readonly isEncrypted: boolean;
  /** The caller has proved who they are: their connection is among the last that end for room. */
  recognize(): void;
  /** Aborts with an AbortError when the client goes before it has its answer. Made on first use. */
  readonly signal: AbortSignal;
  /**
   * The whole body. Rejects with RESOURCE_EXHAUSTED above `limitBytes` or when the meter has no room, with CANCELLED when the client hung up
   * half-way, with DEADLINE_EXCEEDED when it comes too slowly. Read once. What `body` resolves with stays counted by the meter: the caller removes it.
   */
  body(limitBytes: number, rules?: BodyRules): Promise<Buffer>;
  /** The body as it comes; a slow reader slows the client down. Throws CANCELLED when the body is cut short. Read once. */
  chunks(): AsyncIterable<Buffer>;
  /**
   * After the end of a body that nothing in it proves, as its length or its syntax would: rejects with CANCELLED when the client took the call back
   * together with that end. Clients on Node's http2 that give up in mid-body end it cleanly first and reset the stream then; asking costs two round
   * trips. Resolves at once where HTTP itself proves the end: over HTTP/1.1, and with a content-length.
   */
  confirmBody(): Promise<void>;
  /** Answers at once and for good. A second answer is ignored. */
  respond(answer: Answer): void;
  /** Begins an answer whose body comes piece by piece. */
  open(status: number, headers: HeaderFields): ResponseWriter;
}

/** The rest of an answer that was opened. */
export interface ResponseWriter {
  /** Sends a piece, or several with nothing between them. Returns a promise when the peer is slow: wait for it before the next piece. */
  write(chunk: Uint8Array | readonly Uint8Array[]): Promise<void> | undefined;
  end(trailers?: HeaderFields): void;
  /** Breaks the answer off so that the client notices. */
  reset(): void;
}
