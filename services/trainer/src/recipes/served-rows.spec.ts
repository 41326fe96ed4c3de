import { ColumnKind, ColumnMeaningSchema } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import { defaultMissing } from "@aimass/datasets";
import { type Batch, momentReader } from "@aimass/learn";
import { cellsOf, decodePredict, elementsOf, stringElements, type Tensor } from "@aimass/oip";
import { declaredSignature, readModel } from "@aimass/onnx";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { columnMeanings } from "../data/column-meanings.ts";
import { TrainingData } from "../data/training-data.ts";
import { withJob } from "../testing/job-work.ts";
import { estimatorRecipes } from "./estimator-recipes.ts";
import { trainRecipe } from "./train-recipe.ts";

type Cell = string | number | boolean | null;
type Row = Readonly<Record<string, Cell>>;

const words = defaultMissing.filter((word) => word !== "" && word !== "NaN");
const missing = fc.constantFrom(...words, "");
const columns = ["number", "power", "code", "flag", "category", "text", "day", "moment"] as const;
/** Those whose dates are not ISO 8601 in the file. */
const dates = ["day", "moment"];
const two = (value: number) => String(value).padStart(2, "0");
const someDay = fc.record({
  year: fc.integer({ min: 1999, max: 2024 }),
  month: fc.integer({ min: 1, max: 12 }),
  day: fc.integer({ min: 1, max: 28 }),
  minutes: fc.integer({ min: 0, max: 1439 }),
});
type Day = typeof someDay extends fc.Arbitrary<infer D> ? D : never;
const clock = ({ minutes }: Day) =>
  `${Math.floor(minutes / 60) % 12 || 12}:${two(minutes % 60)} ${minutes < 720 ? "AM" : "PM"}`;
const germanDay = ({ year, month, day }: Day) => `${day}.${two(month)}.${year}`;
const americanMoment = (at: Day) => `${at.month}/${at.day}/${two(at.year % 100)} ${clock(at)}`;

const rowOf = fc.record({
  number: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: -50, max: 50 }).map((n) => n / 4) },
    { weight: 2, arbitrary: missing },
  ),
  // A word of the column's own that stands for no value.
  power: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 40, max: 230 }) },
    { weight: 1, arbitrary: fc.constant("?") },
  ),
  code: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 5 }) }, { weight: 1, arbitrary: missing }),
  flag: fc.oneof({ weight: 4, arbitrary: fc.boolean() }, { weight: 1, arbitrary: missing }),
  category: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("light", "heavy", "雨", "Na", " NA", "007") },
    { weight: 2, arbitrary: missing },
  ),
  text: fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .array(fc.constantFrom("rain", "sun", "NA", "fog", "Straße"), { minLength: 3, maxLength: 6 })
        .map((all) => all.join(" ")),
    },
    { weight: 1, arbitrary: missing },
  ),
  day: fc.oneof(
    { weight: 5, arbitrary: someDay.map(germanDay) },
    { weight: 1, arbitrary: missing },
    // No values either: what no calendar has, and signs.
    { weight: 1, arbitrary: fc.constantFrom("31.02.2024", "00.00.0000", "?", "-") },
  ),
  moment: fc.oneof({ weight: 5, arbitrary: someDay.map(americanMoment) }, { weight: 1, arbitrary: missing }),
  class: fc.constantFrom("a", "b", "c"),
});
// A day above 12 tells what comes first.
const decided = { day: "31.12.2023", moment: "12/31/23 11:45 PM" };
// The target tells the rows apart.
const table = fc
  .array(rowOf, { minLength: 12, maxLength: 40 })
  .map((rows) => rows.map((row, i): Row => ({ ...row, ...(i === 0 && decided), value: (i * 7) % 41 })));

/** The table as a CSV file. Every third row writes its numbers and booleans otherwise. */
function csvOf(rows: readonly Row[]): string {
  const names = [...columns, "value", "class"];
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((cells) => cells.join(",")).join("\n");
}

/** A row as somebody may send it: as JSON values, as the words of the file, or with gaps left out; and with columns the model does not have. */
function sentAs(row: Row, way: number): Row {
  const cells = columns.flatMap((name): [string, Cell][] => {
    const cell = row[name] as Cell;
    if (way === 1) return [[name, String(cell)]];
    const isGap = typeof cell === "string" && (cell === "" || words.includes(cell));
    if (way === 2 && isGap) return name === "number" ? [[name, null]] : [];
    return [[name, cell]];
  });
  return Object.fromEntries([...cells.reverse(), ["class", row.class as Cell]]);
}

function feedsOf(tensors: readonly Tensor[]): Record<string, OrtTensor> {
  return Object.fromEntries(
    tensors.map(({ name, datatype, shape, bytes }) => [
      name,
      datatype === "BYTES"
        ? new OrtTensor("string", stringElements(bytes), [...shape])
        : datatype === "FP64"
          ? new OrtTensor("float64", elementsOf("FP64", bytes) as Float64Array, [...shape])
          : new OrtTensor("float32", elementsOf("FP32", bytes) as Float32Array, [...shape]),
    ]),
  );
}

const typeless = (values: ArrayLike<unknown>) =>
  Array.from(values, (value) => (typeof value === "number" ? value : String(value)));

async function outputsOf(session: InferenceSession, feeds: Record<string, OrtTensor>) {
  const answer = await session.run(feeds);
  return session.outputNames.map((name) => typeless((answer[name] as OrtTensor).data as ArrayLike<unknown>));
}

/** What the trainer reads of a column, as the tensor that its own graph takes. */
function asRead(batch: Batch, name: string, row: number): OrtTensor {
  const column = batch.columns.get(name);
  if (column?.type === "string" && dates.includes(name)) {
    const reader = momentReader(name === "day" ? "date" : "datetime");
    return new OrtTensor("float64", [reader(column.values[row])], [1]);
  }
  if (column?.type === "string") return new OrtTensor("string", [column.values[row] ?? ""], [1]);
  const value = Number(column?.values[row]);
  return new OrtTensor("float32", [column?.type === "boolean" && value > 1 ? Number.NaN : value], [1]);
}

function isDeserved(error: unknown): boolean {
  return error instanceof AimassError && ["ONE_CLASS", "NO_FEATURES", "BAD_TARGET"].includes(error.reason ?? "");
}

const cases = estimatorRecipes.flatMap((recipe) => recipe.tasks.map((task) => ({ name: recipe.name, task })));

describe("a row of the dataset's file, sent to /predict", () => {
  it.each(cases)(
    "gets what the trainer itself predicts for it: $name ($task)",
    async ({ name, task }) => {
      const target = task === "regression" ? "value" : "class";
      const spec = {
        recipe: name,
        task,
        target,
        features: [...columns],
        testShare: 0.4,
        seed: 1n,
        importanceRepeats: -1,
      };
      await fc.assert(
        fc.asyncProperty(table, async (rows) => {
          try {
            await withJob({ bytes: csvOf(rows), spec }, async (work) => {
              await using data = await TrainingData.open(work);
              const { files } = await trainRecipe(work, data);
              const onnx = files.get("model.onnx") as Uint8Array;
              const meanings = columnMeanings(files, data.facts);
              const kinds = dates.map((name) => [meanings[name]?.kind, meanings[name]?.datePattern]);
              expect(kinds).toEqual([
                [ColumnKind.DATE, "DD.MM.YYYY"],
                [ColumnKind.DATETIME, "MM/DD/YY"],
              ]);
              const inputs = declaredSignature(readModel(onnx)).signature.inputs.map((input) => ({
                ...input,
                cells: cellsOf(create(ColumnMeaningSchema, meanings[input.name])),
              }));
              const session = await InferenceSession.create(onnx, { logSeverityLevel: 4 });
              try {
                await compare(data, rows, { inputs, session });
              } finally {
                await session.release();
              }
            });
          } catch (error) {
            if (!isDeserved(error)) throw error;
          }
        }),
        { numRuns: 6, endOnFailure: true },
      );
    },
    120_000,
  );
});

describe("a number as the dataset's file writes it, sent to /predict", () => {
  it("is the number that was trained on", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => `${1 + (i % 9)}.${two(i)}5,5;${i}`);
    const bytes = ["price;y", ...rows].join("\n");
    const spec = { recipe: "ridge", target: "y", features: ["price"], importanceRepeats: -1 };
    await withJob({ bytes, spec, written: { delimiter: ";", decimal: ",", thousands: "." } }, async (work) => {
      await using data = await TrainingData.open(work);
      const { files } = await trainRecipe(work, data);
      const { price } = columnMeanings(files, data.facts);
      expect(price).toMatchObject({ kind: ColumnKind.NUMBER, decimal: ",", thousands: "." });
      const { inputs } = declaredSignature(readModel(files.get("model.onnx") as Uint8Array)).signature;
      const cells = cellsOf(create(ColumnMeaningSchema, price));
      const body = JSON.stringify({ inputs: [{ price: "1.234,5" }, { price: 1234.5 }, { price: "1234.5" }] });
      const signature = { inputs: inputs.map((input) => ({ ...input, cells })), outputs: [], batchable: true };
      const { request } = decodePredict(Buffer.from(body), signature as never);
      const [tensor] = request.inputs;
      expect([...elementsOf("FP32", tensor?.bytes as Uint8Array)]).toEqual([1234.5, 1234.5, 1234.5]);
    });
  });
});

/** Sends each held-out row in three ways, alone and with its neighbours. */
async function compare(
  data: TrainingData,
  rows: readonly Row[],
  { inputs, session }: { inputs: Parameters<typeof decodePredict>[1]["inputs"]; session: InferenceSession },
): Promise<void> {
  const predict = async (sent: readonly Row[]) => {
    const call = decodePredict(Buffer.from(JSON.stringify({ inputs: sent })), { inputs, outputs: [] });
    return outputsOf(session, feedsOf(call.request.inputs));
  };
  for await (const batch of data.batches({ part: "test" }, { columns: [...columns, "value"] })) {
    const values = batch.columns.get("value")?.values ?? [];
    for (let at = 0; at < batch.rows; at++) {
      const row = rows.find(({ value }) => Number(value) === values[at]) as Row;
      const own = await outputsOf(
        session,
        Object.fromEntries(inputs.map((input) => [input.name, asRead(batch as Batch, input.name, at)])),
      );
      for (const way of [0, 1, 2])
        expect(await predict([sentAs(row, way)]), JSON.stringify(sentAs(row, way))).toEqual(own);
      // Whoever calls with the tensors themselves need not know the words either.
      const raw = inputs.map((input) => {
        const cell = row[input.name] as Cell;
        return [
          input.name,
          input.datatype === "BYTES"
            ? new OrtTensor("string", [String(cell)], [1])
            : asRead(batch as Batch, input.name, at),
        ] as const;
      });
      expect(await outputsOf(session, Object.fromEntries(raw))).toEqual(own);
    }
  }
}
