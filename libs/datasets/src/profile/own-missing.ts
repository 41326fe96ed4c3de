import { saysNothing } from "@aimass/core";

/** What a column of delimited text holds beside numbers. */
export interface WordsAmongNumbers {
  /** The words, without white space around them, with how often each comes; undefined when they are too many to be counted. */
  readonly words: ReadonlyMap<string, number> | undefined;
  /** Cells that are numbers, and different ones. */
  readonly numbers: number;
  readonly distinctNumbers: number;
  readonly integers: boolean;
}

/** More words than these are categories. */
export const mostMissingWords = 3;

/** More whole numbers than these are measurements, fewer may be codes of categories, with the words among them. */
const mostCodes = 20;

/**
 * The words of a column of numbers that mean "no value"; none when they may mean something. Signs such as "?" and sayings such as "unknown" always do.
 * Other words do where at most three of them come again and again among measurements, which are the most of the column: "K" among the grades 1 … 12 is one of them.
 */
export function ownMissingWords({ words, numbers, distinctNumbers, integers }: WordsAmongNumbers): readonly string[] {
  if (words === undefined || words.size === 0 || words.size > mostMissingWords || numbers === 0) return [];
  const all = [...words];
  const others = all.filter(([word]) => !saysNothing(word));
  const isMeasured = !integers || distinctNumbers > mostCodes;
  const cells = others.reduce((sum, [, count]) => sum + count, 0);
  const comeAgain = others.every(([, count]) => count > 1);
  if (others.length > 0 && !(isMeasured && comeAgain && cells <= numbers)) return [];
  return all.map(([word]) => word);
}
