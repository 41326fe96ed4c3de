import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { AimassError, joinPieces, turnBytes } from "@aimass/core";

/** Largest body a compressed request may unfold to, unless the caller says otherwise. */
export const defaultInflateLimit = 256 * 1024 * 1024;

/** Answers smaller than this are not compressed: it would cost more than it saves. */
const leastWorthCompressing = 1024;

const inflaters = {
  gzip: {
    sync: zlib.gunzipSync,
    stream: zlib.createGunzip,
  },
  deflate: {
    sync: zlib.inflateSync,
    stream: zlib.createInflate,
  },
  "raw deflate": {
    sync: zlib.inflateRawSync,
    stream: zlib.createInflateRaw,
  },
};

const gzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gzip);
const deflate = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.deflate);

/**
 * Undoes a Content-Encoding of gzip or deflate (RFC 9110, section 8.4.1) on this thread; for small bodies.
 * Throws INVALID_ARGUMENT for damaged data, UNIMPLEMENTED for another encoding, RESOURCE_EXHAUSTED past `limit` bytes.
 */
export function inflateSync(body: Uint8Array, encoding: string | undefined, limit = defaultInflateLimit): Uint8Array {
  const inflater = inflaterFor(body, encoding);
  if (inflater === undefined) return body;
  try {
    return inflater.sync(body, { maxOutputLength: limit });
  } catch (error) {
    throw inflateError(error, encoding, limit);
  }
}

/** `inflateSync` on a thread of the pool: for bodies of any size. */
export async function inflate(
  body: Uint8Array,
  encoding: string | undefined,
  limit = defaultInflateLimit,
): Promise<Uint8Array> {
  if (inflaterFor(body, encoding) === undefined) return body;
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of inflatePieces(body, encoding, limit)) {
    pieces.push(piece);
    size += piece.length;
  }
  return joinPieces(pieces, size);
}

/** Bytes of one piece of `inflatePieces`. */
const pieceBytes = 64 * 1024;

/**
 * `inflate` piece by piece, on a thread of the pool and no further than its reader has come: whoever stops reading stops the work. For bodies of strangers,
 * of which the reader counts every piece before it keeps it.
 */
export async function* inflatePieces(
  body: Uint8Array,
  encoding: string | undefined,
  limit = defaultInflateLimit,
): AsyncIterable<Buffer> {
  const inflater = inflaterFor(body, encoding);
  if (inflater === undefined) {
    yield Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    return;
  }
  const stream = inflater.stream({ chunkSize: pieceBytes });
  stream.end(body);
  let size = 0;
  const pieces = stream[Symbol.asyncIterator]();
  try {
    while (true) {
      const piece = await nextPiece(pieces, encoding, limit);
      if (piece === undefined) return;
      size += piece.length;
      if (size > limit) throw inflateError({ code: "ERR_BUFFER_TOO_LARGE" }, encoding, limit);
      yield piece;
    }
  } finally {
    stream.destroy();
  }
}

async function nextPiece(
  pieces: AsyncIterator<Buffer>,
  encoding: string | undefined,
  limit: number,
): Promise<Buffer | undefined> {
  try {
    const { done, value } = await pieces.next();
    return done ? undefined : value;
  } catch (error) {
    throw inflateError(error, encoding, limit);
  }
}

/** Compresses an answer as its Accept-Encoding allows; undefined encoding when the body goes as it is. */
export async function compress(
  body: Uint8Array,
  acceptEncoding: string | undefined,
): Promise<{ body: Uint8Array; encoding?: "gzip" | "deflate" }> {
  const encoding = body.byteLength < leastWorthCompressing ? undefined : acceptedEncoding(acceptEncoding);
  if (encoding === undefined) return { body };
  if (body.byteLength < turnBytes) {
    return { body: await (encoding === "gzip" ? gzip : deflate)(body, { level: 1 }), encoding };
  }
  const stream = (encoding === "gzip" ? zlib.createGzip : zlib.createDeflate)({ level: 1, chunkSize: pieceBytes });
  stream.end(body);
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    pieces.push(piece);
    size += piece.length;
  }
  return { body: await joinPieces(pieces, size), encoding };
}

/** The encoding of ours an Accept-Encoding header prefers: gzip, else deflate, else none. */
export function acceptedEncoding(header: string | undefined): "gzip" | "deflate" | undefined {
  if (header === undefined) return undefined;
  const offered = new Set<string>();
  for (const part of header.toLowerCase().split(",")) {
    const [name, ...parameters] = part.split(";").map((piece) => piece.trim());
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) offered.add(name ?? "");
  }
  if (offered.has("gzip") || offered.has("*")) return "gzip";
  return offered.has("deflate") ? "deflate" : undefined;
}

function inflaterFor(body: Uint8Array, encoding: string | undefined) {
  const name = encoding?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return undefined;
  if (name === "gzip" || name === "x-gzip") return inflaters.gzip;
  if (name === "deflate") return hasZlibHeader(body) ? inflaters.deflate : inflaters["raw deflate"];
  throw new AimassError("UNIMPLEMENTED", `The body has the content encoding ${JSON.stringify(name.slice(0, 40))}.`, {
    reason: "UNKNOWN_CONTENT_ENCODING",
    remedy: "Send it with gzip, deflate, or as it is.",
  });
}

/** RFC 1950: method 8 in the low bits, and the first two bytes a multiple of 31. */
function hasZlibHeader(body: Uint8Array): boolean {
  const first = body[0] ?? 0;
  return (first & 15) === 8 && (first * 256 + (body[1] ?? 0)) % 31 === 0;
}

function inflateError(error: unknown, encoding: string | undefined, limit: number): AimassError {
  if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") {
    return new AimassError("RESOURCE_EXHAUSTED", `The body unfolds to more than ${limit} bytes.`, {
      reason: "BODY_TOO_LARGE",
      remedy: "Send fewer samples in one request.",
    });
  }
  return new AimassError("INVALID_ARGUMENT", `The body is not valid ${encoding} data.`, {
    reason: "BAD_CONTENT_ENCODING",
    remedy: "Compress the whole body, or send it as it is without Content-Encoding.",
    cause: error,
  });
}
