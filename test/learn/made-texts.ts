import { Random } from "@aimass/learn";

/** How texts are made up. */
export interface TextShape {
  readonly rows: number;
  readonly classes: number;
  /** "words" with spaces between them, or "characters" as in Chinese: words of one to three ideographs without a space. */
  readonly script: "words" | "characters";
  /** Different words there are. */
  readonly words: number;
}

/**
 * Short texts, 8 to 24 words whose frequencies fall as in texts (Zipf's law); a quarter of them are chosen for the class of the text. The same on every machine.
 */
export function madeTexts({ rows, classes, script, words }: TextShape): { texts: string[]; indices: Int32Array } {
  const random = new Random(2);
  const vocabulary = Array.from({ length: words }, (_, rank) =>
    script === "words" ? wordOf(rank) : ideographsOf(rank),
  );
  const indices = Int32Array.from({ length: rows }, () => random.below(classes));
  const texts = Array.from(indices, (index) => {
    const chosen = Array.from({ length: 8 + random.below(17) }, () => {
      const word = Math.floor(words ** random.next()) - 1;
      const own = random.next() < 0.25;
      return vocabulary[own ? Math.min(words - 1, word - (word % classes) + index) : word] ?? "";
    });
    return chosen.join(script === "words" ? " " : "");
  });
  return { texts, indices };
}

/** Syllables that stand for the digits of the rank. */
function wordOf(rank: number): string {
  const consonants = "bcdfghklmnprstvz";
  const vowels = "aeiou";
  let word = "";
  for (let rest = rank + 1; rest > 0; rest = Math.floor(rest / 80)) {
    const digit = rest % 80;
    word += `${consonants[digit % 16]}${vowels[Math.floor(digit / 16)]}`;
  }
  return word;
}

/** One to three ideographs, the frequent ones in the frequent words. */
function ideographsOf(rank: number): string {
  const count = 1 + (rank % 3);
  return Array.from({ length: count }, (_, i) => String.fromCharCode(0x4e00 + ((rank * (7 * i + 1)) % 4000))).join("");
}
