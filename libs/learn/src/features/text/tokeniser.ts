import { characterClass, characterClasses, codePoints } from "./characters.ts";

/** Calls back with each token of normalised text. */
export type Tokeniser = (text: string, token: (token: string) => void) => void;

/** Every code point, spaces too. */
export const characterTokens: Tokeniser = (text, token) => {
  for (const character of text) token(character);
};

/** Runs of word characters of at least `minLength` code points, and every character that is a word by itself. */
export function wordTokens(minLength: number): Tokeniser {
  const classes = characterClasses();
  return (text, token) => {
    let start = 0;
    let length = 0;
    const flush = (end: number) => {
      if (length >= minLength) token(text.slice(start, end));
      length = 0;
    };
    for (let at = 0; at < text.length; ) {
      let code = text.charCodeAt(at);
      if (code >= 0xd800 && code < 0xdc00) code = text.codePointAt(at) as number;
      const next = at + (code > 0xffff ? 2 : 1);
      const kind = code < codePoints ? classes[code] : characterClass.separator;
      if (kind === characterClass.word) {
        if (length++ === 0) start = at;
      } else {
        if (length > 0) flush(at);
        if (kind === characterClass.single) token(text.slice(at, next));
      }
      at = next;
    }
    flush(text.length);
  };
}
