import { AimassError, joinPieces } from "@aimass/core";
import type { BodyMeter } from "@aimass/h2";
import { inflatePieces } from "@aimass/oip";

/** How a body is decompressed. */
export interface Decompression {
  /** Of Content-Encoding or grpc-encoding. */
  readonly encoding: string | undefined;
  readonly limitBytes: number;
  /** Counts each piece before it is kept. What `decompress` resolves with stays counted, unless it is the body itself. */
  readonly meter: BodyMeter;
  /** How many times the body it may become once it is larger than 1 MiB. Default: any. */
  readonly maxRatio?: number;
  /** Looks at the first piece before more is decompressed. What it throws refuses the rest. */
  readonly onStart?: (start: Buffer) => void;
}

/** Below this a ratio says nothing: small bodies are made of repetition. */
const ratioFromBytes = 1024 * 1024;

/**
 * The body as it was before it was compressed; the body itself when it was not. Throws RESOURCE_EXHAUSTED when there is no room for it, when it is larger
 * than the limit or than its ratio allows, INVALID_ARGUMENT for damaged data, UNIMPLEMENTED for another encoding.
 */
export async function decompress(body: Buffer, options: Decompression): Promise<Buffer> {
  const { encoding, limitBytes, meter, onStart } = options;
  if (encoding === undefined || encoding === "identity") return body;
  const largest = Math.max(ratioFromBytes, body.length * (options.maxRatio ?? Number.POSITIVE_INFINITY));
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of inflatePieces(body, encoding, limitBytes)) {
      if (pieces.length === 0) onStart?.(piece);
      if (size + piece.length > largest) throw tooDense();
      if (!meter.add(piece.length)) throw noRoom();
      size += piece.length;
      pieces.push(piece);
    }
    return await joinPieces(pieces, size);
  } catch (error) {
    meter.remove(size);
    throw error;
  }
}

function tooDense(): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", "The compressed body becomes too large for its size.", {
    reason: "BODY_TOO_DENSE",
    remedy: "Send it as it is, or with a credential.",
  });
}

/** Bodies take all the memory they may. */
export function noRoom(): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", "There is no room for more request bodies now.", {
    reason: "BODIES_TOO_LARGE",
    remedy: "Try again, with fewer or smaller requests at a time.",
    retryAfterMs: 500,
  });
}
