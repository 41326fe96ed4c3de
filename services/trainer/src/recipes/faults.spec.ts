import { crc32, deflateSync } from "node:zlib";
import { AimassError } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { TrainingData } from "../data/training-data.ts";
import { type TestJob, withJob } from "../testing/job-work.ts";
import { trainRecipe } from "./train-recipe.ts";

function train(job: TestJob) {
  return withJob(job, async (work) => {
    await using data = await TrainingData.open(work);
    return await trainRecipe(work, data);
  });
}

const failure = (job: TestJob) =>
  train(job).then(
    () => expect.fail("it was trained"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(AimassError);
      return error as AimassError;
    },
  );

/** `count` rows of cells. */
function table(header: string, count: number, cells: (row: number) => readonly unknown[]): string {
  return `${header}\n${Array.from({ length: count }, (_, row) => cells(row).join(",")).join("\n")}\n`;
}

describe("columns that say nothing", () => {
  it("all of whose values are missing are left out, and the log says so", async () => {
    const logs: string[] = [];
    const bytes = table("a,none,y", 60, (i) => [i, "", 2 * i]);
    const spec = { recipe: "ridge", target: "y" };
    const { metrics, inputs } = await train({ bytes, spec, report: { log: (line) => void logs.push(line) } });
    expect(inputs).toBe("Inputs: a.");
    expect(metrics.r2).toBeGreaterThan(0.98);
    expect(logs.join("\n")).toContain('Column "none" is left out: all of its values are missing.');
  });

  it("that are constant only in the training part do no harm", async () => {
    const bytes = table("a,b,y", 60, (i) => [i, i === 59 ? 1000 : 7, 3 * i]);
    const spec = { recipe: "linear", target: "y", split: { timeBy: "a" }, parameters: { l2: 0 } };
    const { metrics } = await train({ bytes, spec });
    expect(metrics.r2).toBeGreaterThan(0.99);
  });

  it("because each is a combination of others leave least squares an answer", async () => {
    const bytes = table("a,b,c,y", 60, (i) => [i, 2 * i, i % 7, 3 * i + (i % 7)]);
    const { metrics } = await train({ bytes, spec: { recipe: "linear", target: "y", parameters: { l2: 0 } } });
    expect(metrics.r2).toBeGreaterThan(0.9999);
  });
});

describe("a target", () => {
  it("that is the same in every row is a warning in a regression", async () => {
    const warnings: string[] = [];
    const bytes = table("a,y", 40, (i) => [i, 5]);
    const { metrics } = await train({
      bytes,
      spec: { recipe: "linear", target: "y" },
      report: { warn: (line) => void warnings.push(line) },
    });
    expect(warnings).toEqual(['The target "y" is the same in every row; there is nothing to learn.']);
    expect(metrics.mae).toBeLessThan(1e-6);
  });

  it.each(["1e999", "-inf", "Infinity"])("with a %s in it is refused in a sentence", async (cell) => {
    const bytes = table("a,y", 40, (i) => [i, i === 20 ? cell : i]);
    const error = await failure({ bytes, spec: { recipe: "linear", target: "y" } });
    expect(["FAILED_PRECONDITION", "INVALID_ARGUMENT"]).toContain(error.code);
    expect(error.message).toMatch(/"y"/);
  });

  it("with NaN in it is a target with gaps: refused, or without those rows", async () => {
    const bytes = table("a,y", 40, (i) => [i, i === 20 ? "NaN" : 3 * i]);
    const spec = { recipe: "linear", target: "y", parameters: { l2: 0 } };
    expect(await failure({ bytes, spec })).toMatchObject({ code: "FAILED_PRECONDITION", field: "spec.target" });
    const { metrics } = await train({ bytes, spec: { ...spec, data: { missingTarget: "drop" } } });
    expect(metrics.r2).toBeGreaterThan(0.9999);
  });

  it("with a class that only the held-out part has counts those rows as wrong", async () => {
    const reports: unknown[] = [];
    const bytes = table("a,y", 60, (i) => [i, i >= 55 ? "late" : i % 2 === 0 ? "even" : "odd"]);
    const spec = { recipe: "decision-tree", target: "y", split: { timeBy: "a" } };
    await train({ bytes, spec, report: { evaluated: (so) => void reports.push(so) } });
    expect(reports.at(-1)).toMatchObject({ detail: { value: { classes: ["even", "odd"], unknownRows: 5n } } });
  });
});

describe("numbers that are hard to take", () => {
  it.each(["linear", "gradient-boosting", "k-nearest-neighbours"])(
    "beyond FP32 count as missing for %s",
    async (recipe) => {
      const bytes = table("a,b,y", 80, (i) => [i % 9 === 0 ? "1e300" : i, -1e-300 * i, 2 * i]);
      const { metrics } = await train({ bytes, spec: { recipe, target: "y" } });
      expect(Object.values(metrics).every(Number.isFinite)).toBe(true);
    },
  );
});

describe("a text column full of emoji", () => {
  it.each(["logistic-regression", "naive-bayes-multinomial", "random-forest"])("is learnt by %s", async (recipe) => {
    const [glad, sad] = ["😀😃🎉👍🏽", "😡😢💔👎🏿"];
    const bytes = table("text,mood", 120, (i) => [
      `${i % 2 === 0 ? glad : sad}👨‍👩‍👧‍👦 ${["🐶", "🐱", "🇨🇭"][i % 3]}`,
      i % 2 === 0 ? "😀" : "😢",
    ]);
    const { metrics, classes } = await train({ bytes, spec: { recipe, target: "mood" } });
    expect(classes).toEqual(["😀", "😢"]);
    expect(metrics.accuracy).toBe(1);
  });
});

describe("a ZIP of pictures", () => {
  const spec = { recipe: "logistic-regression", target: "label" };
  const pictures = (broken?: number, sizes = [6]) =>
    zip(
      Array.from({ length: 24 }, (_, i) => {
        const picture = png(i % 2 === 0 ? 20 + i : 200 - i, sizes[i % sizes.length]);
        if (i === broken) picture.fill(0, 45, 55);
        return [`${i % 2 === 0 ? "dark" : "light"}/${i}.png`, picture] as const;
      }),
    );

  it("is learnt", async () => {
    const { metrics } = await train({ format: "image-zip", bytes: pictures(), spec });
    expect(metrics.accuracy).toBe(1);
  });

  it("of different sizes is learnt, and served as it was learnt", async () => {
    const { metrics, featurePlanJson } = await train({
      format: "image-zip",
      bytes: pictures(undefined, [6, 9, 9, 70]),
      spec,
    });
    expect(metrics.accuracy).toBe(1);
    expect(JSON.parse(featurePlanJson ?? "")).toMatchObject({ features: [{ size: [32, 32] }] });
  });

  it("with one that is broken is refused by its name", async () => {
    const error = await failure({ format: "image-zip", bytes: pictures(7), spec });
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain("light/7.png");
  });
});

/** A grey PNG of `size` × `size` pixels. */
function png(grey: number, size = 6): Buffer {
  const header = Buffer.from([0, 0, 0, size, 0, 0, 0, size, 8, 0, 0, 0, 0]);
  const row = (y: number) => Buffer.from([0, ...Array.from({ length: size }, (_, x) => grey + (x === 1 ? y % 6 : 0))]);
  const rows = Buffer.concat(Array.from({ length: size }, (_, y) => row(y)));
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    return Buffer.concat([uint32be(data.length), body, uint32be(crc32(body))]);
  };
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function uint32be(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** A ZIP whose files are stored as they are. */
function zip(files: readonly (readonly [name: string, bytes: Buffer])[]): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const [name, bytes] of files) {
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x800, 2);
    facts.writeUInt32LE(crc32(bytes) >>> 0, 10);
    facts.writeUInt32LE(bytes.length, 14);
    facts.writeUInt32LE(bytes.length, 18);
    facts.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), facts, Buffer.from(name), bytes]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    entries.push(Buffer.concat([Buffer.from("PK\x01\x02"), Buffer.from([20, 0]), facts, rest, Buffer.from(name)]));
    locals.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, directory, end]);
}
