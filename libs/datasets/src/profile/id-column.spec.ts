import { describe, expect, it } from "vitest";
import { type NumberIdFacts, numbersNameRows, textsNameRows } from "./id-column.ts";

const numbers = (name: string, facts: Partial<NumberIdFacts> = {}) =>
  numbersNameRows({
    ...{ name, count: 100, missing: 0, distinct: 100, integers: true, minimum: 0, maximum: 5000 },
    ...facts,
  });

const texts = (name: string, samples: readonly string[], facts: { distinct?: number; count?: number } = {}) =>
  textsNameRows({
    ...{ name, count: 100, missing: 0, distinct: 100, samples, longest: Math.max(...samples.map((s) => s.length)) },
    ...facts,
  });

const run = { minimum: 1, maximum: 100 };

describe("whole numbers name rows", () => {
  it.each([
    "id",
    "ID",
    "PassengerId",
    "customer_id",
    "userid",
    "row number",
    "Unnamed: 0",
    "index",
    "order_no",
    "rownames",
    "idx",
  ])("when nearly all differ in a column called %s", (name) => {
    expect(numbers(name)).toBe(true);
    expect(numbers(name, { distinct: 92 })).toBe(true);
    expect(numbers(name, { distinct: 40 })).toBe(false);
  });

  it.each(["sepal", "case", "obs", "unit"])("when they count them, in a column called %s", (name) => {
    expect(numbers(name, run)).toBe(true);
    expect(numbers(name, { minimum: 0, maximum: 99 })).toBe(true);
    expect(numbers(name, { minimum: 1, maximum: 100, distinct: 63 })).toBe(false);
  });

  it.each([
    ["a measurement without a repeat", "income", {}],
    ["years in a row", "year", { minimum: 1, maximum: 100 }],
    ["years", "year", { minimum: 1900, maximum: 1999 }],
    ["the x of a curve", "x", run],
    ["ranks", "world_rank", run],
    ["few rows that count", "trial", { count: 5, distinct: 5, minimum: 1, maximum: 5 }],
    ["a run that begins elsewhere", "level9", { minimum: 40, maximum: 139 }],
    ["fractions called an id", "id", { integers: false }],
    ["a word that ends like one", "paid", {}],
    ["acid", "acid", {}],
    ["a number of something", "number of rooms", {}],
    ["a run with gaps", "case", { ...run, missing: 3 }],
  ])("but not %s", (_, name, facts) => {
    expect(numbers(name, facts)).toBe(false);
  });
});

describe("strings name rows", () => {
  it.each([
    ["codes", "code", ["A-0017", "A-0018"]],
    ["UUIDs", "who", ["6f1c2a70-8f0e-4c6e-9d0a-3a5b1f0e7d11", "0b9f0d4e-1111-4c6e-9d0a-3a5b1f0e7d12"]],
    ["words in a column called an id", "sample_id", ["alpha beta", "gamma delta"]],
  ])("as %s", (_, name, samples) => {
    expect(texts(name, samples)).toBe(true);
  });

  it.each([
    ["names of people", "name", ["Ann Smith", "Bob Jones"], {}],
    ["sentences", "review", ["it cost 5 dollars", "7 of 10"], {}],
    ["codes that come again", "code", ["A-0017", "A-0018"], { distinct: 60 }],
    ["a foreign key", "customer_id", ["c1", "c2"], { distinct: 10 }],
    ["addresses of pages", "link", ["https://example.org/1", "https://example.org/2"], {}],
    ["a handful of codes", "code", ["A1", "A2"], { count: 6, distinct: 6 }],
  ])("but not %s", (_, name, samples, facts) => {
    expect(texts(name, samples, facts)).toBe(false);
  });
});
