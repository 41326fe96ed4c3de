import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FeatureFit } from "../feature-fit.ts";
import type { TextFeature } from "../plan.ts";
import { batchOf, skew, strings } from "../testing.ts";

const words = fc.constantFrom(
  "the",
  "The",
  "THE",
  "cat",
  "Cat",
  "don't",
  "naïve",
  "NAI\u0308VE",
  "ÀÉ",
  "Straße",
  "ΣΟΦΟΣ",
  "İstanbul",
  "ﬁnd",
  "Ｆｕｌｌ",
  "①",
  "½",
  "中文",
  "机器学习",
  "日本語テスト",
  "ﾊﾞ",
  "한국어",
  "हिन्दी",
  "ภาษาไทย",
  "عربي",
  "👍",
  "👍🏽",
  "👨‍👩‍👧",
  "🇩🇪",
  "❤️",
  "1️⃣",
  "𝓗𝓮𝓵𝓵𝓸",
  "a",
  "_x",
  "x\0y",
  "\ud800",
  "\udfff!",
  "\u00a0",
  "\u3000",
  "\t\n",
  "  ",
  "\u200b",
  "\u0001",
  "\ufeff",
  "\u00ad",
  "\u{e0041}",
  "\u{10ffff}",
  "½km²",
);
const text = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(words, { maxLength: 12 })
      .chain((list) => fc.constantFrom(" ", "", ", ").map((by) => list.join(by))),
  },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(undefined, "") },
);
const spec = fc.record({
  kind: fc.constant("text" as const),
  column: fc.constant("text"),
  analyzer: fc.constantFrom("words" as const, "characters" as const),
  ngrams: fc.constantFrom([1, 1], [1, 2], [2, 2], [1, 3], [2, 4]) as fc.Arbitrary<[number, number]>,
  accents: fc.constantFrom("keep" as const, "strip" as const),
  minWordLength: fc.integer({ min: 1, max: 3 }),
  stopWords: fc.constantFrom([], ["The", "中"]),
  minDocuments: fc.constantFrom(1, 2),
  maxDocumentShare: fc.constantFrom(1, 0.6),
  maxTerms: fc.constantFrom(5, 1000),
  sublinear: fc.boolean(),
  idf: fc.boolean(),
  norm: fc.constantFrom("l2" as const, "none" as const),
}) satisfies fc.Arbitrary<TextFeature>;

const columns = [{ name: "text", type: "string" as const }];

function fitted(feature: TextFeature, texts: readonly (string | undefined)[]) {
  const fit = new FeatureFit({ columns, features: [feature, { kind: "hash", column: "text", bins: 2 }] });
  fit.add(batchOf({ text: strings(texts) }));
  return fit.finish();
}

describe("texts in training and in serving", () => {
  it("become the same weights, whatever the settings and the texts", async () => {
    const texts = fc.array(text, { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(spec, texts, texts, async (feature, seen, unseen) => {
        const features = fitted(feature, seen);
        expect(await skew(features, batchOf({ text: strings(seen) }))).toEqual([]);
        expect(await skew(features, batchOf({ text: strings(unseen) }))).toEqual([]);
      }),
      { numRuns: 150 },
    );
  }, 120_000);

  it("agree on every code point there is", async () => {
    const blocks: string[] = [];
    for (let from = 1; from <= 0x10ffff; from += 64) {
      const codes = Array.from({ length: 64 }, (_, i) => from + i).filter(
        (code) => code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff),
      );
      blocks.push(codes.map((code) => `x${String.fromCodePoint(code)}y`).join(" "));
    }
    const sample = blocks.filter((_, i) => i < 0x33600 / 64 || i % 97 === 0 || (i >= 0xe0000 / 64 && i < 0xe1000 / 64));
    for (const analyzer of ["words", "characters"] as const) {
      const features = fitted(
        { kind: "text", column: "text", analyzer, ngrams: [1, 1], minWordLength: 1, maxTerms: 3000 },
        sample,
      );
      for (let at = 0; at < sample.length; at += 200) {
        expect(await skew(features, batchOf({ text: strings(sample.slice(at, at + 200)) }))).toEqual([]);
      }
    }
  }, 120_000);

  it("agree on a text of a hundred thousand characters beside an empty one", async () => {
    const long = Array.from({ length: 9000 }, (_, i) => `Wört${i % 700} 中👍`).join(" ");
    const features = fitted({ kind: "text", column: "text", ngrams: [1, 2] }, [long]);
    expect(await skew(features, batchOf({ text: strings(["", long]) }))).toEqual([]);
  });
});
