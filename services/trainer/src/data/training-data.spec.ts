import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { AimassError } from "@aimass/core";
import { type ColumnData, profileDataset } from "@aimass/datasets";
import { describe, expect, it } from "vitest";
import { type TestJob, withJob } from "../testing/job-work.ts";
import type { RowSelection } from "./row-selection.ts";
import { TrainingData } from "./training-data.ts";

/** Rows with their own number, so that it can be told which are where. */
function csv(rows: number, cells: (row: number) => string, header: string): string {
  return `id,${header}\n${Array.from({ length: rows }, (_, i) => `${i},${cells(i)}`).join("\n")}\n`;
}

const groups = csv(120, (i) => `${i % 3 === 0 ? "a" : "b"},g${i % 10},${i * 86_400}`, "y,group,time");

function open<T>(job: Partial<TestJob> & Pick<TestJob, "spec">, use: (data: TrainingData) => Promise<T>): Promise<T> {
  return withJob(
    { bytes: groups, ...job, spec: { recipe: "decision-tree", target: "y", seed: 1n, ...job.spec } },
    async (work) => {
      await using data = await TrainingData.open(work);
      return await use(data);
    },
  );
}

async function valuesOf(
  data: TrainingData,
  selection: RowSelection,
  column = "id",
  share?: number,
): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const batch of data.batches(selection, { columns: [column], ...(share && { share }) })) {
    values.push(...((batch.columns.get(column) as ColumnData).values as unknown[]));
  }
  return values;
}

const failure = (job: Parameters<typeof open>[0]) =>
  open(job, async () => expect.fail("it was opened")).catch((error: unknown) => {
    expect(error).toBeInstanceOf(AimassError);
    return error as AimassError;
  });

describe("what the registry said of a dataset", () => {
  it("is repeated by the job where its columns are read as they may not be meant", async () => {
    const hp = (i: number) => (i % 5 === 0 ? "?" : `${i}.5`);
    const bytes = csv(60, (i) => `${hp(i)},${hp(i)},same,${i % 2 ? "a" : "b"}`, "hp,unused,constant,y");
    const warned: string[] = [];
    const spec = { features: ["hp", "constant"] };
    await open({ bytes, spec, report: { warn: (text: string) => warned.push(text) } }, async (data) => {
      expect((await valuesOf(data, { part: "train" }, "hp")).every((value) => typeof value === "number")).toBe(true);
    });
    expect(warned.filter((text) => text.includes("read as"))).toEqual([
      expect.stringMatching(/^Column "hp" is read as numbers: "\?" in 12 of 60 rows counts as missing\./),
    ]);
  });
});

describe("the parts of a dataset", () => {
  it("are exact, in equal shares of each class, and together are the whole", async () => {
    await open({ spec: { testShare: 0.25, split: { validationShare: 0.25 } } }, async (data) => {
      expect(data.rows).toEqual({ train: 60, validation: 30, test: 30 });
      const parts = await Promise.all(
        (["train", "validation", "test"] as const).map((part) => valuesOf(data, { part })),
      );
      expect(parts.flat().sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 120 }, (_, i) => i));
      const kinds = await valuesOf(data, { part: "test" }, "y");
      expect(kinds.filter((kind) => kind === "a")).toHaveLength(10);
      expect(data.labels).toEqual({ datatype: "BYTES", values: ["a", "b"] });
    });
  });

  it("keep groups together, also in folds", async () => {
    await open({ spec: { split: { groupBy: "group" } } }, async (data) => {
      const [train, test] = [
        await valuesOf(data, { part: "train" }, "group"),
        await valuesOf(data, { part: "test" }, "group"),
      ];
      expect(new Set(train).intersection(new Set(test))).toEqual(new Set());
      expect(data.leakage.sharedGroups).toBe(0n);
      const of = await data.folds(3);
      for (const fold of [0, 1, 2]) {
        const held = new Set(await valuesOf(data, { fold, of, held: true }, "group"));
        const kept = new Set(await valuesOf(data, { fold, of, held: false }, "group"));
        expect(held.intersection(kept).size).toBe(0);
        expect(held.union(kept)).toEqual(new Set(train));
      }
    });
  });

  it("by time hold out the newest, and folds are measured on what comes after what they learnt from", async () => {
    await open({ spec: { split: { timeBy: "time" } } }, async (data) => {
      const [train, test] = [await valuesOf(data, { part: "train" }), await valuesOf(data, { part: "test" })];
      expect(Math.max(...(train as number[]))).toBeLessThan(Math.min(...(test as number[])));
      const of = await data.folds(4);
      for (let fold = 0; fold < 4; fold++) {
        const held = (await valuesOf(data, { fold, of, held: true })) as number[];
        const kept = (await valuesOf(data, { fold, of, held: false })) as number[];
        expect(Math.max(...kept)).toBeLessThan(Math.min(...held));
      }
    });
  });

  it("give shares of which the smaller is part of the larger", async () => {
    await open({ spec: {} }, async (data) => {
      const all = new Set(await valuesOf(data, { part: "train" }));
      const half = new Set(await valuesOf(data, { part: "train" }, "id", 0.5));
      const tenth = new Set(await valuesOf(data, { part: "train" }, "id", 0.1));
      expect(tenth.isSubsetOf(half) && half.isSubsetOf(all)).toBe(true);
      expect(half.size).toBe(await data.rowCount({ part: "train" }, 0.5));
      expect(Math.abs(half.size - all.size / 2)).toBeLessThan(20);
    });
  });

  it("are the same when they are opened again from their facts", async () => {
    await open({ spec: { split: { groupBy: "group" } } }, async (data) => {
      const of = await data.folds(2);
      await using again = await TrainingData.reopen(data.path, JSON.parse(JSON.stringify(data.facts)));
      for (const selection of [{ part: "test" }, { fold: 1, of, held: true }] as const) {
        expect(await valuesOf(again, selection)).toEqual(await valuesOf(data, selection));
      }
      expect(again.labels).toEqual(data.labels);
    });
  });
});

describe("a data policy", () => {
  const gaps = csv(100, (i) => `${i % 10 === 0 ? "" : i % 7},${i % 4 === 0 ? "" : i % 2}`, "a,y");

  it("drops rows without a target and without a feature, and says how many", async () => {
    const warnings: string[] = [];
    const features = ["id", "a"];
    const spec = { task: "classification", features, data: { missing: "drop", missingTarget: "drop" } };
    await open({ bytes: gaps, spec, report: { warn: (line) => void warnings.push(line) } }, async (data) => {
      expect(data.rows.train + data.rows.test).toBe(70);
      const ids = [
        ...(await valuesOf(data, { part: "train" })),
        ...(await valuesOf(data, { part: "test" })),
      ] as number[];
      expect(ids.every((id) => id % 10 !== 0 && id % 4 !== 0)).toBe(true);
    });
    expect(warnings).toEqual([
      '25 rows without a value of "y" were left out.',
      "5 rows without a value of a feature were left out.",
    ]);
  });

  it("refuses gaps with their columns, when it is to", async () => {
    const spec = { task: "classification", data: { missing: "refuse", missingTarget: "drop" } };
    const error = await failure({ bytes: gaps, spec });
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "MISSING_VALUES", field: "spec.data.missing" });
    expect(error.message).toBe('Rows lack values: "a" in 10.');
  });

  const twice = `a,b,y\n${Array.from({ length: 100 }, (_, i) => `${i % 40},${i % 8},${i % 2}`).join("\n")}\n`;
  const spec = { task: "classification" };

  it("tells of rows that are in two parts, with examples", async () => {
    const warnings: string[] = [];
    await open({ bytes: twice, spec, report: { warn: (line) => void warnings.push(line) } }, async ({ leakage }) => {
      expect(leakage.duplicateRows).toBeGreaterThan(5n);
      expect(leakage.examples?.[0]).toMatch(/^Row \d+ \((train|test)\) is like row \d+ \((train|test)\)\.$/);
    });
    expect(warnings[0]).toMatch(/^\d+ held-out rows are alike in every feature with a training row/);
  });

  it("drops all but the first of rows that are alike, or refuses them in two parts", async () => {
    await open({ bytes: twice, spec: { ...spec, data: { duplicates: "drop" } } }, async (data) => {
      expect(data.rows.train + data.rows.test).toBe(40);
      expect(data.leakage.duplicateRows).toBe(0n);
    });
    const error = await failure({ bytes: twice, spec: { ...spec, data: { duplicates: "refuse" } } });
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "LEAKAGE", field: "spec.data.duplicates" });
  });
});

describe("every format", () => {
  const rows = Array.from({ length: 20 }, (_, i) => [i, i % 2 === 0 ? "x" : "z"] as const);
  it.each([
    ["tsv", `a\ty\n${rows.map(([a, y]) => `${a}\t${y}`).join("\n")}\n`],
    ["json-lines", rows.map(([a, y]) => JSON.stringify(a % 3 === 0 ? { y, a } : { a, y })).join("\n")],
  ] as const)("such as %s is read as the registry read it", async (format, bytes) => {
    await open({ format, bytes, spec: {} }, async (data) => {
      const all = [...(await valuesOf(data, { part: "train" }, "a")), ...(await valuesOf(data, { part: "test" }, "a"))];
      expect(new Set(all)).toEqual(new Set(rows.map(([a]) => a)));
    });
  });

  it("such as Parquet is read as the registry read it", async () => {
    const path = fileURLToPath(
      new URL("../../../../libs/datasets/src/parquet/fixtures/pyarrow-snappy-pages-v1.parquet", import.meta.url),
    );
    const bytes = await readFile(path);
    const { columns, rows } = await profileDataset({ format: "parquet", file: path });
    const target = columns.find(({ type, missing }) => type === "number" && missing === 0) ?? expect.fail();
    const spec = { recipe: "ridge", target: target.name, testShare: 0.5 };
    await open({ format: "parquet", bytes, spec }, async (data) => {
      expect(data.rows.train + data.rows.test).toBe(rows);
      expect(data.profiles.map(({ name }) => name)).toEqual(
        columns.map(({ name }) => name).filter((name) => name !== target.name),
      );
      expect(await valuesOf(data, { part: "test" }, target.name)).toHaveLength(data.rows.test);
    });
  });
});
