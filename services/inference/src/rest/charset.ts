import { AimassError, joinPieces, nextTurn, turnBytes } from "@aimass/core";

/** What is read as its bytes say: UTF-8, and CSV in UTF-16 by its byte order mark. */
const asItIs = new Set(["utf-8", "utf8", "us-ascii", "ascii", "utf-16"]);
/** Labels of the Encoding Standard, where latin1 is windows-1252, which has more letters. */
const decoded = new Set(["utf-16le", "utf-16be", "iso-8859-1", "latin1", "windows-1252"]);

/**
 * A body of CSV in UTF-8, by the charset that its content type names; JSON has none (RFC 8259, section 8.1). Decoded in turns with what else this thread does.
 * Throws UNIMPLEMENTED for a charset that is not read here, INVALID_ARGUMENT for a body that is not in it, RESOURCE_EXHAUSTED for one of more than
 * `limitBytes` in UTF-8.
 */
export async function inUtf8(body: Uint8Array, contentType: string, limitBytes: number): Promise<Uint8Array> {
  const charset = charsetOf(contentType);
  if (charset === undefined || asItIs.has(charset)) return body;
  if (!decoded.has(charset))
    throw new AimassError("UNIMPLEMENTED", `Bodies in the charset "${charset.slice(0, 100)}" are not read here.`, {
      reason: "UNKNOWN_CONTENT_TYPE",
      remedy: `Send utf-8, or one of ${[...decoded].join(", ")}.`,
    });
  const decoder = new TextDecoder(charset, { fatal: true });
  const pieces: Buffer[] = [];
  let size = 0;
  for (let at = 0; at < body.byteLength; at += turnBytes) {
    const end = Math.min(at + turnBytes, body.byteLength);
    const piece = decode(decoder, body.subarray(at, end), end === body.byteLength);
    size += piece.byteLength;
    if (size > limitBytes) throw tooLarge(limitBytes);
    pieces.push(piece);
    await nextTurn();
  }
  return await joinPieces(pieces, size);
}

function decode(decoder: InstanceType<typeof TextDecoder>, bytes: Uint8Array, isLast: boolean): Buffer {
  try {
    return Buffer.from(decoder.decode(bytes, { stream: !isLast }));
  } catch (cause) {
    throw new AimassError("INVALID_ARGUMENT", `The body is not in ${decoder.encoding}, as its content type says.`, {
      reason: "MALFORMED_TEXT",
      remedy: "Save it as UTF-8.",
      cause,
    });
  }
}

function tooLarge(limitBytes: number): AimassError {
  return new AimassError("RESOURCE_EXHAUSTED", `The body has more than ${limitBytes} bytes in UTF-8.`, {
    reason: "BODY_TOO_LARGE",
    remedy: "Send fewer samples in one request.",
  });
}

/** RFC 9110, section 8.3.2: without regard to case, perhaps in quotes. */
function charsetOf(contentType: string): string | undefined {
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase();
}
