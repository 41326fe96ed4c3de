import { AimassError } from "@aimass/core";

/** What is read as its bytes say: UTF-8, and CSV in UTF-16 by its byte order mark. */
const asItIs = new Set(["utf-8", "utf8", "us-ascii", "utf-16"]);
/** Labels of the Encoding Standard, where latin1 is windows-1252, which has more letters. */
const decoded = new Set(["utf-16le", "utf-16be", "iso-8859-1", "latin1", "windows-1252"]);

/**
 * A body in UTF-8, by the charset that its content type names. Throws UNIMPLEMENTED for a charset that is not read here, INVALID_ARGUMENT for a body that is
 * not in it.
 */
export function inUtf8(body: Uint8Array, contentType = ""): Uint8Array {
  const charset = charsetOf(contentType);
  if (charset === undefined || asItIs.has(charset)) return body;
  if (!decoded.has(charset))
    throw new AimassError("UNIMPLEMENTED", `Bodies in the charset "${charset.slice(0, 100)}" are not read here.`, {
      reason: "UNKNOWN_CONTENT_TYPE",
      remedy: `Send utf-8, or one of ${[...decoded].join(", ")}.`,
    });
  try {
    return Buffer.from(new TextDecoder(charset, { fatal: true }).decode(body));
  } catch (cause) {
    throw new AimassError("INVALID_ARGUMENT", `The body is not in ${charset}, as its content type says.`, {
      reason: "MALFORMED_TEXT",
      remedy: "Save it as UTF-8.",
      cause,
    });
  }
}

/** RFC 9110, section 8.3.2: without regard to case, perhaps in quotes. */
function charsetOf(contentType: string): string | undefined {
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase();
}
