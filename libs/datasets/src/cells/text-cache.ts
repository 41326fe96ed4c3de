const slots = 4096;
const longest = 24;

/** Turns short ASCII cells that come again and again into one string each, without making it anew. */
export class TextCache {
  readonly #texts = new Array<string>(slots).fill("");

  /** The string of UTF-8 bytes [start, end). */
  text(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length === 0) return "";
    if (length > longest) return bytes.toString("utf8", start, end);
    let hash = length;
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
    const slot = (hash ^ (hash >>> 15)) & (slots - 1);
    const known = this.#texts[slot] as string;
    if (known.length === length && sameBytes(known, bytes, start)) return known;
    const text = bytes.toString("utf8", start, end);
    if (text.length === length) this.#texts[slot] = text;
    return text;
  }
}

/** Whether a string of one-byte characters stands at `start`. */
function sameBytes(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
