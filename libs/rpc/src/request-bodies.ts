import { AsyncLocalStorage } from "node:async_hooks";
import { promisify } from "node:util";
import { deflate, gzip } from "node:zlib";
import { AimassError, type Clock } from "@aimass/core";
import { type BodyMeter, PacedBody } from "@aimass/h2";
import { anonymous } from "@aimass/identity";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { decompress, noRoom } from "./decompress.ts";
import { toConnectError } from "./error-mapping.ts";
import { OpenMessage } from "./open-message.ts";
import type { ReceivedBytes } from "./received-bytes.ts";

/** Least pace of a request body; twice as patient as a router, which has passed on what came at its own. */
const leastBytes = 10 * 1024;
const windowMs = 20_000;

/** How long the request of a call of one message may take to come. */
const messageTimeoutMs = 120_000;

/** How many times its size a compressed message of a caller without a credential may become, once it is larger than 1 MiB. */
const anonymousRatio = 100;

/** The call that a message is decompressed for. */
const currentCall = new AsyncLocalStorage<RequestBody>();

/**
 * The request of one call: counted while it is held, decompressed ones included, and given up when it does not come. Who the caller is, and so whose share it
 * takes, is known before its first byte is read.
 */
export class RequestBody implements Disposable {
  readonly #received: ReceivedBytes;
  readonly #clock: Clock;
  readonly #kind: DescMethod["methodKind"];
  #principalId: string = anonymous.id;
  #meter: BodyMeter;
  #unfoldedBytes = 0;
  #pieceBytes = 0;
  #isOver = false;

  constructor(options: { received: ReceivedBytes; clock: Clock; kind: DescMethod["methodKind"] }) {
    this.#received = options.received;
    this.#clock = options.clock;
    this.#kind = options.kind;
    this.#meter = options.received.of(this.#principalId);
  }

  /** Says whose it is. */
  belongsTo(principalId: string): void {
    this.#principalId = principalId;
    this.#meter = this.#received.of(principalId);
  }

  /** Runs what reads it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return currentCall.run(this, work);
  }

  /**
   * Its bytes, at a least pace. Of a stream, those count that came last and those of the message that is not whole yet: the reader is done with the others when
   * it asks for more. Services of the mesh talk by two-way streams for as long as they live.
   */
  read(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    if (this.#kind === "bidi_streaming") return pieces;
    const isOneMessage = this.#kind !== "client_streaming";
    const body = new PacedBody(pieces, {
      clock: this.#clock,
      leastBytes,
      windowMs,
      onPiece: isOneMessage ? (piece) => this.#hold(piece.length) : this.#holdLast(),
      ...(isOneMessage && { timeoutMs: messageTimeoutMs }),
    });
    return this.#reading(body, isOneMessage);
  }

  /** The message that `bytes` unfold to. Of a stream only the last one counts: the reader is done with those before. */
  async unfold(bytes: Uint8Array, encoding: string, limitBytes: number): Promise<Uint8Array> {
    if (this.#kind === "client_streaming" || this.#kind === "bidi_streaming") this.#letGoUnfolded();
    const plain = await decompress(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
      encoding,
      limitBytes,
      meter: this.#meter,
      ...(this.#principalId === anonymous.id && { maxRatio: anonymousRatio }),
    });
    // The call may have ended meanwhile, at its deadline for instance.
    if (this.#isOver) this.#meter.remove(plain.length);
    else this.#unfoldedBytes += plain.length;
    return plain;
  }

  /** Once the call is over, nothing is held for it any more. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#letGoUnfolded();
    this.#letGoPieces(0);
  }

  /** Connect tells callers only what is a ConnectError. What does not become the one message is let go with the last read. */
  async *#reading(body: AsyncIterable<Uint8Array>, isOneMessage: boolean): AsyncIterable<Uint8Array> {
    let isMessage = false;
    try {
      yield* body;
      isMessage = isOneMessage;
    } catch (error) {
      throw error instanceof AimassError ? toConnectError(error) : error;
    } finally {
      if (!isMessage) this.#letGoPieces(0);
    }
  }

  #letGoUnfolded(): void {
    this.#meter.remove(this.#unfoldedBytes);
    this.#unfoldedBytes = 0;
  }

  /** Of the pieces that are held, all but `bytes`. */
  #letGoPieces(bytes: number): void {
    this.#meter.remove(this.#pieceBytes - bytes);
    this.#pieceBytes = bytes;
  }

  #hold(bytes: number): void {
    if (this.#isOver) return;
    if (!this.#meter.add(bytes)) throw noRoom();
    this.#pieceBytes += bytes;
  }

  #holdLast(): (piece: Uint8Array) => void {
    const open = new OpenMessage();
    return (piece) => {
      if (this.#isOver) return;
      this.#letGoPieces(open.bytes);
      this.#hold(piece.length);
      open.add(piece);
    };
  }
}

/** What requests may be compressed with. Each message is counted for its call before it is kept. */
export const countedCompressions: Compression[] = [
  compression("gzip", promisify<Uint8Array, Uint8Array>(gzip)),
  compression("deflate", promisify<Uint8Array, Uint8Array>(deflate)),
];

function compression(name: string, compress: (bytes: Uint8Array) => Promise<Uint8Array>): Compression {
  return {
    name,
    compress: compress as Compression["compress"],
    async decompress(bytes, limitBytes) {
      const call = currentCall.getStore();
      if (call === undefined) throw new ConnectError("A message came without its call.", Code.Internal);
      try {
        return (await call.unfold(bytes, name, limitBytes)) as Uint8Array<ArrayBuffer>;
      } catch (error) {
        throw toConnectError(error);
      }
    },
  };
}
