import { AimassError } from "@aimass/core";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";

/** A number that an option gives. Errors: INVALID_ARGUMENT naming the option. */
export function decimal(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, { remedy: "Give a number." });
  return value;
}

/** A whole number that an option gives. Errors: INVALID_ARGUMENT. */
export function wholeNumber(option: string, text: string, smallest = 0): number {
  const value = decimal(option, text);
  if (!Number.isSafeInteger(value) || value < smallest)
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, {
      remedy: `Give a whole number${smallest === 0 ? "" : ` from ${smallest}`}.`,
    });
  return value;
}

const seconds: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** A stretch of time in seconds: "500ms", "60s", "5m", "2h", "1d"; a plain number is seconds. Errors: INVALID_ARGUMENT. */
export function duration(option: string, text: string, example = "60s, 5m or 2h"): number {
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim()) ?? [];
  if (amount === undefined)
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, { remedy: `Give a time like ${example}.` });
  return Number(amount) * (seconds[unit] as number);
}

const multiples: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** An amount of bytes: "512MiB", "2GiB", "2G"; a plain number is bytes. Errors: INVALID_ARGUMENT. */
export function byteCount(option: string, text: string): number {
  const [, amount, multiple = ""] = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(?:iB)?|B)?$/.exec(text.trim()) ?? [];
  if (amount === undefined)
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, {
      remedy: "Give a size like 512MiB or 2GiB.",
    });
  return Number(amount) * (multiples[multiple] as number);
}

/** The end that --for gives: "36h", "7d"; a plain number is hours. Errors: INVALID_ARGUMENT. */
export function endAfter(text: string): Timestamp {
  const plain = /^\d+(\.\d+)?$/.test(text.trim());
  const fromNow = duration("--for", plain ? `${text.trim()}h` : text, "24h or 90d");
  if (fromNow <= 0 || fromNow > longestSeconds)
    throw new AimassError("INVALID_ARGUMENT", `--for is "${text}".`, { remedy: "Give a time like 24h or 90d." });
  return timestampFromMs(Date.now() + fromNow * 1000);
}

/** A hundred years; what is longer is a slip of the finger. */
const longestSeconds = 36_525 * 86_400;

/** One of some words. Errors: INVALID_ARGUMENT that lists them. */
export function oneOf<W extends string>(option: string, text: string, words: readonly W[]): W {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined)
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, { remedy: `Give ${listed(words)}.` });
  return word;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** The words of a command line, with quotes and backslashes as a shell reads them, and nothing else of a shell. Errors: INVALID_ARGUMENT. */
export function commandWords(option: string, text: string): string[] {
  const word = /(?:[^\s"'\\]|\\[\s\S]|"(?:[^"\\]|\\[\s\S])*"|'[^']*')+/y;
  const words: string[] = [];
  for (let at = text.search(/\S/); at !== -1 && at < text.length; ) {
    word.lastIndex = at;
    const found = word.exec(text)?.[0];
    if (found === undefined)
      throw new AimassError("INVALID_ARGUMENT", `${option} ends inside quotes: ${text}`, { remedy: "Close them." });
    words.push(unquoted(found));
    at += found.length;
    const gap = text.slice(at).search(/\S/);
    at = gap === -1 ? text.length : at + gap;
  }
  if (words.length === 0)
    throw new AimassError("INVALID_ARGUMENT", `${option} is empty.`, { remedy: 'Give it like "python3 train.py".' });
  return words;
}

function unquoted(word: string): string {
  return word.replace(/"((?:[^"\\]|\\[\s\S])*)"|'([^']*)'|\\([\s\S])/g, (_all, double, single, escaped) =>
    double === undefined ? (single ?? escaped) : double.replace(/\\(["\\$`])/g, "$1"),
  );
}
