import { describe, expect, it } from "vitest";
import { ownMissingWords } from "./own-missing.ts";

const found = (words: Record<string, number>, numbers: number, distinctNumbers = numbers, integers = true) =>
  ownMissingWords({ words: new Map(Object.entries(words)), numbers, distinctNumbers, integers });

describe("words among numbers", () => {
  it.each([
    ["a question mark, at any share", { "?": 90 }, 10, 8],
    ["a question mark that comes once", { "?": 1 }, 10, 10],
    ["dashes and points", { "-": 5, ".": 3, "--": 1 }, 10, 4],
    ["nothing but white space", { "": 4 }, 10, 4],
    ["what spreadsheets say", { "#DIV/0!": 4, "#N/A": 1 }, 10, 4],
    ["what people say", { Unknown: 40, "not recorded": 2 }, 30, 5],
    ["a word that comes again and again among measurements", { refused: 30, "?": 2 }, 70, 40],
  ])("mean no value: %s", (_, words, numbers, distinct) => {
    expect(found(words as Record<string, number>, numbers, distinct)).toEqual(Object.keys(words));
  });

  it("mean no value among few different fractions", () => {
    expect(found({ trace: 5 }, 50, 8, false)).toEqual(["trace"]);
  });

  it.each([
    ["the grade before the first", { K: 10 }, 120, 12],
    ["a word that comes once: it may be a slip", { "12O": 1 }, 100, 60],
    ["words that are most of the column", { negative: 90 }, 40, 30],
    ["four of them", { "?": 1, "-": 1, ".": 1, "*": 1 }, 100, 60],
    ["words without numbers", { "?": 10 }, 0, 0],
    ["a word that means something beside one that does not", { "?": 10, low: 1 }, 100, 60],
  ])("may mean something: %s", (_, words, numbers, distinct) => {
    expect(found(words as Record<string, number>, numbers, distinct)).toEqual([]);
  });

  it("may mean something when they are too many to be counted", () => {
    expect(ownMissingWords({ words: undefined, numbers: 10, distinctNumbers: 10, integers: true })).toEqual([]);
  });
});
