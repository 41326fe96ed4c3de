import type { HeaderFields } from "./call.ts";

/** A call whose request and answer are held whole. */
export interface UnaryRequest {
  /** Default POST. */
  readonly method?: string;
  readonly path: string;
  /** Default: the upstream's address. */
  readonly authority?: string;
  /** Lower-case names. */
  readonly headers: HeaderFields;
  readonly body: Uint8Array;
  /** Ends the wait; the peer may run the call to its end all the same. */
  readonly signal?: AbortSignal;
  /** Ends the wait after so many milliseconds. */
  readonly timeoutMs?: number;
  /** Called when the connection that carries the call falls silent. The call goes on: its answer may still come. */
  readonly onStall?: () => void;
}

/** A whole answer, whatever its status. */
export interface UnaryResult {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Buffer;
  readonly trailers: HeaderFields;
}

/** A call whose request and answer flow. */
export interface StreamRequest {
  /** Default POST. */
  readonly method?: string;
  readonly path: string;
  readonly authority?: string;
  readonly headers: HeaderFields;
  readonly signal?: AbortSignal;
}

/** A call under way. Its promises reject with a TransportError when the peer goes first. */
export interface ClientStream {
  /** Sends a piece. Returns a promise when the peer is slow: wait for it before the next piece. */
  write(chunk: Uint8Array): Promise<void> | undefined;
  /** Nothing more to send. */
  end(): void;
  /** Status and headers of the answer. */
  readonly response: Promise<{ readonly status: number; readonly headers: HeaderFields }>;
  /** The answer's body; a slow reader slows the peer down. Throws a TransportError when it is cut short. Read once. */
  chunks(): AsyncIterable<Buffer>;
  /** After the body: its trailers, {} when there are none. */
  readonly trailers: Promise<HeaderFields>;
  /** Gives the call up. */
  reset(): void;
}
