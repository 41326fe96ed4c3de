import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Dataset,
  memoryFile,
  openDataset,
  partBatches,
  partNames,
  planFolds,
  planSplit,
  type RowAssignment,
  type SplitSpec,
  unassigned,
} from "../index.ts";
import { apportionClasses } from "./assign.ts";

interface Row {
  readonly kind: string;
  readonly group: number;
  readonly day: number;
}

const dayText = (day: number) => new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10);

function tableOf(rows: readonly Row[]): Promise<Dataset> {
  const text = rows.map(({ kind, group, day }) => `${kind},g${group},${dayText(day)}`).join("\n");
  return openDataset({ format: "csv", file: memoryFile(Buffer.from(`kind,group,day\n${text}\n`)) });
}

/** Part code of every row, read in batches of `batchRows`. */
async function codesOf(dataset: Dataset, assignment: RowAssignment, batchRows = 7): Promise<number[]> {
  const codes: number[] = [];
  for await (const batch of dataset.batches({ batchRows })) codes.push(...assignment.partsOf(batch));
  return codes;
}

const row = fc.record({ kind: fc.constantFrom("a", "a", "a", "b", "c"), group: fc.nat(12), day: fc.nat(40) });
const rows = fc.array(row, { minLength: 1, maxLength: 120 });
const shares = fc
  .record({ validation: fc.integer({ min: 0, max: 4 }), test: fc.integer({ min: 0, max: 5 }) })
  .map(({ validation, test }) => ({
    train: (10 - validation - test) / 10,
    validation: validation / 10,
    test: test / 10,
  }));
const seed = fc.maxSafeInteger().map(Math.abs);
const list = ({ train, validation, test }: { train: number; validation: number; test: number }) => [
  train,
  validation,
  test,
];
const count = <T>(values: readonly T[], value: T) => values.filter((one) => one === value).length;

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => expect.unreachable("it was taken"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AimassError);
  return (error as AimassError).message;
}

describe("an exact split", () => {
  it("puts every row in one part, each part within one row of its share, the same way for the same seed", async () => {
    await fc.assert(
      fc.asyncProperty(rows, shares, seed, async (table, given, seed) => {
        const dataset = await tableOf(table);
        const spec: SplitSpec = { seed, shares: given };
        const split = await planSplit(dataset, spec);
        const codes = await codesOf(dataset, split);
        expect(codes).toHaveLength(table.length);
        for (const [part, share] of list(given).entries()) {
          expect(Math.abs(count(codes, part) - share * table.length)).toBeLessThan(1);
          expect(split.description.rows?.[partNames[part] as string]).toBe(count(codes, part));
        }
        expect(await codesOf(dataset, await planSplit(dataset, spec), 50)).toEqual(codes);
      }),
      { numRuns: 150 },
    );
  });

  it("keeps the shares of every class within one row when stratified", async () => {
    await fc.assert(
      fc.asyncProperty(rows, shares, seed, async (table, given, seed) => {
        const dataset = await tableOf(table);
        const codes = await codesOf(dataset, await planSplit(dataset, { seed, shares: given, stratifyBy: "kind" }));
        for (const kind of ["a", "b", "c"]) {
          const ofKind = codes.filter((_, i) => table[i]?.kind === kind);
          for (const [part, share] of list(given).entries()) {
            expect(Math.abs(count(ofKind, part) - share * ofKind.length)).toBeLessThan(1);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("gives small classes to all parts in turn, so that totals stay near their shares", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 200 }), (sizes) => {
        const counts = apportionClasses(sizes, [0.7, 0.2, 0.1]);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        for (const [part, share] of [0.7, 0.2, 0.1].entries()) {
          const given = counts.reduce((sum, parts) => sum + (parts[part] as number), 0);
          expect(Math.abs(given - share * total)).toBeLessThan(3);
        }
      }),
    );
  });

  it("chooses each row with the chance of its share", async () => {
    const dataset = await tableOf(Array.from({ length: 20 }, () => ({ kind: "a", group: 1, day: 1 })));
    const tested = new Array<number>(20).fill(0);
    for (let seed = 0; seed < 400; seed++) {
      const codes = await codesOf(dataset, await planSplit(dataset, { seed, shares: { train: 0.75, test: 0.25 } }));
      for (const [i, code] of codes.entries()) if (code === 2) tested[i] = (tested[i] as number) + 1;
    }
    // Expected 100 each, standard deviation 8.7: five of them.
    for (const times of tested) expect(Math.abs(times - 100)).toBeLessThan(44);
  });

  it("never splits a group, fills every part, and is off by at most the largest group", async () => {
    await fc.assert(
      fc.asyncProperty(rows, shares, seed, fc.boolean(), async (table, given, seed, stratified) => {
        const dataset = await tableOf(table);
        const groups = new Set(table.map(({ group }) => group));
        const used = list(given).filter((share) => share > 0).length;
        const spec = { seed, shares: given, groupBy: "group", ...(stratified ? { stratifyBy: "kind" } : {}) };
        if (groups.size < used) {
          expect(await refusal(planSplit(dataset, spec))).toContain(
            `There are ${groups.size} groups for ${used} parts`,
          );
          return;
        }
        const codes = await codesOf(dataset, await planSplit(dataset, spec));
        for (const group of groups) expect(new Set(codes.filter((_, i) => table[i]?.group === group)).size).toBe(1);
        const largest = Math.max(...[...groups].map((group) => table.filter((one) => one.group === group).length));
        for (const [part, share] of list(given).entries()) {
          expect(count(codes, part) > 0).toBe(share > 0);
          if (!stratified && groups.size > 2 * used) {
            expect(Math.abs(count(codes, part) - share * table.length)).toBeLessThanOrEqual(2 * largest);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("by time has every part wholly after the one before", async () => {
    await fc.assert(
      fc.asyncProperty(rows, shares, async (table, given) => {
        const dataset = await tableOf(table);
        const used = list(given).flatMap((share, part) => (share > 0 ? [part] : []));
        const spec = { seed: 1, shares: given, timeBy: "day" };
        if (new Set(table.map(({ day }) => day)).size < used.length) {
          expect(await refusal(planSplit(dataset, spec))).toContain("too few different times");
          return;
        }
        const split = await planSplit(dataset, spec).catch((error: AimassError) => error);
        if (split instanceof AimassError) {
          expect(split.message).toContain("too few different times");
          return;
        }
        const codes = await codesOf(dataset, split);
        const days = used.map((part) => table.filter((_, i) => codes[i] === part).map(({ day }) => day));
        for (const [i, own] of days.entries()) {
          expect(own.length).toBeGreaterThan(0);
          if (i > 0) expect(Math.min(...own)).toBeGreaterThan(Math.max(...(days[i - 1] as number[])));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("refuses what contradicts itself, with a sentence", async () => {
    const dataset = await tableOf([{ kind: "a", group: 1, day: 1 }]);
    const refused = (spec: SplitSpec) => refusal(planSplit(dataset, spec));
    expect(await refused({ seed: 1, shares: { train: 0.8, test: 0.3 } })).toContain("do not add up to 1");
    expect(await refused({ seed: -1, shares: { train: 1 } })).toContain("The seed -1");
    expect(await refused({ seed: 1, shares: { train: 1 }, timeBy: "day", groupBy: "group" })).toContain(
      "cannot also be",
    );
    expect(await refused({ seed: 1, shares: { train: 1 }, timeBy: "kind" })).toContain(
      'Row 1, column "kind": "a" is no ISO 8601 date',
    );
    expect(await refused({ seed: 1, shares: { train: 1 }, stratifyBy: "x" })).toContain('There is no column "x"');
  });
});

describe("the batches of a part", () => {
  it("have all rows of the part once, in the file's order, with their numbers", async () => {
    await fc.assert(
      fc.asyncProperty(rows, seed, fc.integer({ min: 1, max: 30 }), async (table, seed, batchRows) => {
        const dataset = await tableOf(table);
        const split = await planSplit(dataset, { seed, shares: { train: 0.6, test: 0.4 } });
        const seen: number[] = [];
        for (const part of ["train", "test"]) {
          let last = -1;
          for await (const batch of partBatches(dataset, split, [part], { batchRows, columns: ["kind"] })) {
            expect([...batch.columns.keys()]).toEqual(["kind"]);
            for (const [i, number] of batch.rowNumbers.entries()) {
              expect(number).toBeGreaterThan(last);
              expect(batch.columns.get("kind")?.values[i]).toBe(table[number]?.kind);
              last = number;
              seen.push(number);
            }
          }
        }
        expect(seen.sort((a, b) => a - b)).toEqual(table.map((_, i) => i));
      }),
      { numRuns: 60 },
    );
  });

  it("are refused for a part that is none", async () => {
    const dataset = await tableOf([{ kind: "a", group: 1, day: 1 }]);
    const split = await planSplit(dataset, { seed: 1, shares: { train: 1 } });
    const reading = partBatches(dataset, split, ["holdout"], { batchRows: 5 }).next();
    expect(await refusal(reading)).toBe('There is no part "holdout".');
  });
});

describe("folds", () => {
  it("are of equal size, stratified when asked, and leave out rows of other parts", async () => {
    const table = fc.array(row, { minLength: 30, maxLength: 120 });
    await fc.assert(
      fc.asyncProperty(table, seed, fc.integer({ min: 2, max: 7 }), async (table, seed, folds) => {
        const dataset = await tableOf(table);
        const split = await planSplit(dataset, { seed, shares: { train: 0.8, test: 0.2 } });
        const parts = await codesOf(dataset, split);
        const plan = await planFolds(dataset, { seed, folds, stratifyBy: "kind", within: { split, parts: ["train"] } });
        const codes = await codesOf(dataset, plan);
        expect(codes.map((code) => code === unassigned)).toEqual(parts.map((part) => part !== 0));
        for (const kind of ["a", "b", "c"]) {
          const ofKind = codes.filter((code, i) => code !== unassigned && table[i]?.kind === kind);
          for (let fold = 0; fold < folds; fold++)
            expect(Math.abs(count(ofKind, fold) - ofKind.length / folds)).toBeLessThan(1);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("are refused when there are more of them than rows", async () => {
    const dataset = await tableOf([{ kind: "a", group: 1, day: 1 }]);
    expect(await refusal(planFolds(dataset, { seed: 1, folds: 5 }))).toBe("There are 1 rows for 5 folds.");
  });
});
