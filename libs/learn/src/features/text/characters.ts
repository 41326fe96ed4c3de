/** Beyond this there are no letters and no symbols in Unicode 17, only marks that are dropped and private use. */
export const codePoints = 0x33500;

/** What a code point of normalised text is: between words, part of a word, or a word by itself. */
export const characterClass = { separator: 0, word: 1, single: 2 } as const;

/**
 * Scripts written without spaces between words, and emoji: every character is a word of its own, and sequences of words bring back the
 * words of more characters.
 */
const single =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}]/u;
const word = /[\p{L}\p{N}\p{M}_]/u;
const space = /[\p{White_Space}\p{Cc}]/u;
const ignorable = /\p{Default_Ignorable_Code_Point}/gu;
const accent = /[\u0300-\u036f]/gu;

let classes: Uint8Array | undefined;

/** The class of every code point below `codePoints`; all others are separators. */
export function characterClasses(): Uint8Array {
  classes ??= Uint8Array.from({ length: codePoints }, (_, code) => classOf(code));
  return classes;
}

function classOf(code: number): number {
  if (isSurrogate(code)) return characterClass.separator;
  const character = String.fromCodePoint(code);
  if (single.test(character)) return characterClass.single;
  return word.test(character) ? characterClass.word : characterClass.separator;
}

/** A class as a character class of RE2, range by range, so that graph and trainer share one version of Unicode. */
export function classPattern(wanted: number): string {
  const all = characterClasses();
  let pattern = "";
  for (let code = 0; code < codePoints; code++) {
    if (all[code] !== wanted) continue;
    const from = code;
    while (all[code + 1] === wanted) code++;
    pattern += `\\x{${from.toString(16)}}${code > from ? `-\\x{${code.toString(16)}}` : ""}`;
  }
  return `[${pattern}]`;
}

export type Accents = "keep" | "strip";

const forms = new Map<Accents, ReadonlyMap<number, string>>();

/**
 * Code points whose normal form is not themselves. The normal form of one code point is its NFKC form (NFKD without accents where these are stripped) in lower
 * case, without ignorable characters; white space and controls are one space. It depends on no neighbour, so that a look-up in
 * the graph gives the same: an accent that follows its letter as a mark of its own stays one.
 */
export function normalForms(accents: Accents): ReadonlyMap<number, string> {
  const known = forms.get(accents);
  if (known !== undefined) return known;
  const made = new Map<number, string>();
  for (let code = 1; code < 0xe1000; code = code === codePoints ? 0xe0000 : code + 1) {
    if (isSurrogate(code) || isStable(code)) continue;
    const character = String.fromCodePoint(code);
    const form = normalForm(character, accents);
    if (form !== character) made.set(code, form);
  }
  forms.set(accents, made);
  return made;
}

function normalForm(character: string, accents: Accents): string {
  if (space.test(character)) return " ";
  const lower = character.normalize("NFKC").toLowerCase().replaceAll("ς", "σ");
  const form = accents === "keep" ? lower : lower.normalize("NFKD").replace(accent, "");
  return form.normalize("NFKC").replace(ignorable, "").replaceAll(" ", "");
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** Unified ideographs, Hangul syllables and private use: they are their own normal form, and most of the table. */
function isStable(code: number): boolean {
  return (
    (code >= 0x3400 && code <= 0x9fff) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xe000 && code <= 0xf8ff) ||
    (code >= 0x17000 && code <= 0x18cff) ||
    (code >= 0x20000 && code <= 0x2f7ff) ||
    (code >= 0x30000 && code < codePoints)
  );
}
