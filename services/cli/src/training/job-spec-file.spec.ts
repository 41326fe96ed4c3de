import { type JobSpec, JobSpecSchema } from "@aimass/api/trainer";
import { create, equals, fromJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJobSpec, writeJobSpec } from "./job-spec-file.ts";

/** Text that YAML could take for something else. */
const words = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "yes",
    "null",
    "3",
    "0x1f",
    "1e3",
    "~",
    "- a",
    "a: b",
    "#",
    "",
    " ",
    "\n",
    "2001-01-01",
    "中文",
    "*a",
  ),
);
/** YAML has no −0. */
const numbers = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const whole64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const specs = fc.record({
  project: words,
  target: words,
  seed: whole64,
  testShare: numbers,
  features: fc.array(words),
  parameters: fc.dictionary(words, numbers),
  choices: fc.dictionary(words, words),
  priority: fc.integer({ min: -100, max: 100 }),
  split: fc.record({ plain: fc.boolean(), groupBy: words }),
  gates: fc.array(fc.record({ metric: words, bound: numbers })),
  search: fc.record({ ranges: fc.dictionary(words, fc.record({ from: numbers, words: fc.array(words) })) }),
  script: fc.record({
    command: fc.array(words),
    environment: fc.dictionary(words, words),
    files: fc.array(
      fc.record({ path: words, sizeBytes: fc.bigInt({ min: 0n, max: 2n ** 62n }), sha256: fc.uint8Array() }),
    ),
  }),
  featurePlan: fc.record({
    features: fc.array(
      fc.record({ kind: fc.record({ case: fc.constant("text" as const), value: fc.record({ column: words }) }) }),
    ),
  }),
});

/** `__proto__` is no name of an own property in the messages of protobuf-es. */
const hasProto = (spec: object) =>
  JSON.stringify(spec, (_, v) => (typeof v === "bigint" ? "" : v)).includes("__proto__");

describe("a job in a file", () => {
  it("is read back as what was written, whatever its words look like", () => {
    fc.assert(
      fc.property(specs, (init) => {
        fc.pre(!hasProto(init));
        const spec = create(JobSpecSchema, init as Parameters<typeof create<typeof JobSpecSchema>>[1]);
        const text = writeJobSpec(spec);
        expect(equals(JobSpecSchema, readJobSpec(text, "job.yaml"), spec), text).toBe(true);
      }),
    );
  });

  it("takes names with capitals and with underlines, and JSON", () => {
    const expected: JobSpec = fromJson(JobSpecSchema, { testShare: 0.3, split: { groupBy: "house" }, seed: "7" });
    for (const text of [
      "testShare: 0.3\nsplit: { groupBy: house }\nseed: 7",
      "test_share: 0.3\nsplit:\n  group_by: house\nseed: '7'",
      '{"testShare": 0.3, "split": {"groupBy": "house"}, "seed": 7}',
    ])
      expect(readJobSpec(text, "job.yaml")).toEqual(expected);
  });

  it("may name a part once and use it twice", () => {
    const spec = readJobSpec("gate: &g { metric: r2, bound: 0.5 }\ngates: [*g]\n", "job.yaml");
    expect(spec.gates).toEqual([spec.gate]);
  });

  it.each<[string, string, RegExp]>([
    ["a field that is none", "recipe: ridge\ntraget: y", /line 2: .*"traget".*Did you mean target\?/],
    ["a field of another message", "gate:\n  metric: r2\n  bond: 1", /line 3: .*"bond".*Did you mean bound\?/],
    ["a number for a word", "target: 3", /line 1: target is 3\. .*"3", with the quotes/],
    ["a word for a number", "\n\ntestShare: lots", /line 3: testShare is "lots"\. Give a number/],
    ["infinity", "testShare: .inf", /testShare is Infinity\. Give a number/],
    ["a number out of range", "folds: 3000000000", /folds is 3000000000\. .*-2147483648 to 2147483647/],
    ["a negative seed", "seed: -1", /seed is -1\. .*from 0 to/],
    ["part of a step", "folds: 2.5", /folds is 2\.5\. Give a whole number/],
    ["a word for a list", "features: age", /features is "age"\. Give a list/],
    ["a list for pairs", "parameters: [1]", /parameters is a list\. Give pairs/],
    ["a word among numbers", "parameters: { l2: much }", /l2 in parameters is "much"\. Give a number/],
    ["a word for fields", "split: time", /split is "time"\. Give fields/],
    ["a word for a truth", "split: { plain: often }", /plain is "often"\. Give true or false/],
    ["nothing where something is wanted", "target:", /target is empty\. Give text/],
    ["one field twice", "testShare: 0.1\ntest_share: 0.2", /line 2: testShare is given twice/],
    [
      "two kinds of one feature",
      "featurePlan: { features: [{ number: {}, text: {} }] }",
      /number and text stand together/,
    ],
    ["a list at the top", "- a", /the file is a list\. Give fields/],
    ["nothing at all", "", /the file is empty/],
    ["no YAML", "a: [", /line 1 is not YAML/],
    ["bytes that are no base64", "script: { files: [{ sha256: '*' }] }", /is not a job/],
    ["a part that holds itself", "&a { split: *a }", /"split"|there is no field|repeats itself/],
  ])("with %s is refused, with line and what would be right", (_what, text, sentence) => {
    expect(() => readJobSpec(text, "job.yaml")).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", advice: expect.stringMatching(sentence) }),
    );
  });

  it("that multiplies itself by aliases ends in an error, and soon", () => {
    const list = `[${Array.from({ length: 3000 }, () => "a").join(", ")}]`;
    const feature = `&f { text: { column: t, stopWords: ${list} } }`;
    const text = `featurePlan: { features: [${feature}, ${Array.from({ length: 3000 }, () => "*f").join(", ")}] }`;
    expect(() => readJobSpec(text, "job.yaml")).toThrow(/repeats itself without end/);
  });
});
