import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { arrowOf, type FlatNode, flatBuffer } from "./arrow/arrow-writer.fixture.ts";
import {
  type ColumnProfile,
  type DatasetSchema,
  detectFormat,
  memoryFile,
  openDataset,
  profileDataset,
  valueAt,
} from "./index.ts";
import { wholeTable } from "./whole-table.fixture.ts";

type Unit = "MILLIS" | "MICROS" | "NANOS";
const perSecond: Readonly<Record<Unit, bigint>> = { MILLIS: 1_000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n };
const unitOfArrow: Readonly<Record<Unit, number>> = { MILLIS: 1, MICROS: 2, NANOS: 3 };

const [wholeNumber, timeOfDay, duration] = [2, 9, 18];
const signed = (bits: number): FlatNode => ({ table: { 0: { int: bits }, 1: { byte: 1 } } });
const field = (name: string, kind: number, type: FlatNode): FlatNode => ({
  table: { 0: { text: name }, 2: { byte: kind }, 3: type },
});

/** As Arrow's writers keep their schema beside a Parquet file. */
function keptSchema(fields: readonly FlatNode[]): string {
  const message = flatBuffer({ table: { 0: { short: 4 }, 1: { byte: 1 }, 2: { table: { 1: { tables: fields } } } } });
  const prefix = Buffer.alloc(8, 0xff);
  prefix.writeInt32LE(message.length, 4);
  return Buffer.concat([prefix, message]).toString("base64");
}

function parquet(unit: Unit, times: readonly bigint[]): Uint8Array {
  const isShort = unit === "MILLIS";
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "t", data: isShort ? times.map(Number) : [...times] },
        { name: "d", data: [...times] },
        { name: "n", data: times.map((_, row) => row) },
      ],
      schema: [
        { name: "root", num_children: 3 },
        {
          name: "t",
          type: isShort ? "INT32" : "INT64",
          repetition_type: "REQUIRED",
          logical_type: { type: "TIME", isAdjustedToUTC: true, unit },
        },
        { name: "d", type: "INT64", repetition_type: "REQUIRED" },
        { name: "n", type: "INT32", repetition_type: "REQUIRED" },
      ],
      kvMetadata: [
        {
          key: "ARROW:schema",
          value: keptSchema([field("d", duration, { table: { 0: { short: unitOfArrow[unit] } } })]),
        },
      ],
    }),
  );
}

function arrow(unit: Unit, times: readonly bigint[]): Uint8Array {
  const bits = unit === "MILLIS" ? 32 : 64;
  const longs = new Uint8Array(BigInt64Array.from(times).buffer);
  const none = new Uint8Array(0);
  const values = bits === 64 ? longs : new Uint8Array(Int32Array.from(times, Number).buffer);
  const rows = new Uint8Array(Int32Array.from(times, (_, row) => row).buffer);
  const type: FlatNode = { table: { 0: { short: unitOfArrow[unit] }, 1: { int: bits } } };
  return arrowOf({
    fields: [
      field("t", timeOfDay, type),
      field("d", duration, { table: { 0: { short: unitOfArrow[unit] } } }),
      field("n", wholeNumber, signed(32)),
    ],
    batches: [
      {
        rows: times.length,
        nodes: [times.length, times.length, times.length],
        buffers: [none, values, none, longs, none, rows],
      },
    ],
  });
}

/** The same time of day as a person writes it. */
function clock(time: bigint, unit: Unit): string {
  const each = perSecond[unit];
  const text = new Date(Number((time / each) * 1000n)).toISOString().slice(11, 19);
  const rest = String(each + (time % each))
    .slice(1)
    .replace(/0+$/, "");
  return rest === "" ? text : `${text}.${rest}`;
}

async function profileOf(bytes: Uint8Array | string) {
  const file = memoryFile(Buffer.from(bytes));
  const { rows, columns, preview } = await profileDataset({ format: await detectFormat(file), file });
  return { rows, columns: columns as readonly ColumnProfile[], preview };
}

describe("times of day", () => {
  const cases = fc.constantFrom<Unit>("MILLIS", "MICROS", "NANOS").chain((unit) =>
    fc.record({
      unit: fc.constant(unit),
      times: fc.array(fc.bigInt(0n, 86_400n * perSecond[unit] - 1n), { minLength: 2, maxLength: 9 }),
    }),
  );

  it("are one column in every format, and durations none", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ unit, times }) => {
        const csv = await profileOf(`t,n\n${times.map((time, row) => `${clock(time, unit)},${row}\n`).join("")}`);
        expect(await profileOf(parquet(unit, times))).toEqual(csv);
        expect(await profileOf(arrow(unit, times))).toEqual(csv);
      }),
      { numRuns: 60 },
    );
  });

  it("mean the same in files of different units; a column of durations is left out, and that is said", async () => {
    const day = (unit: Unit) => [0n, 51_720n * perSecond[unit], 86_400n * perSecond[unit] - 1n];
    for (const write of [parquet, arrow]) {
      expect((await wholeTable(write("MILLIS", day("MILLIS")))).table.t).toEqual([
        "00:00:00",
        "14:22:00",
        "23:59:59.999",
      ]);
      const { table, warnings } = await wholeTable(write("NANOS", day("NANOS")));
      expect(table.t).toEqual(["00:00:00", "14:22:00", "23:59:59.999999999"]);
      expect(warnings).toContainEqual(expect.stringMatching(/^Column "d" holds .*it is left out/));
    }
  });

  it("that no clock has, or that are declared as numbers, are refused", async () => {
    for (const write of [parquet, arrow]) {
      await expect(wholeTable(write("MICROS", [1n, -1n]))).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("the time of day -1 / 1000000 s is not one of the 24 hours of a day"),
      });
      const declared = wholeTable(write("MICROS", [1n, 2n]), { types: new Map([["t", "number"]]) });
      await expect(declared).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });

  it("of a version that has them as numbers of a file's own unit are read as it has them", async () => {
    const schema: DatasetSchema = { columns: (["t", "d", "n"] as const).map((name) => ({ name, type: "number" })) };
    const dataset = await openDataset({ format: "parquet", file: memoryFile(parquet("MICROS", [7n, 8n])), schema });
    for await (const { columns } of dataset.batches({ batchRows: 9 })) {
      for (const name of ["t", "d"]) {
        const column = columns.get(name);
        expect(column && [valueAt(column, 0), valueAt(column, 1)]).toEqual([7, 8]);
      }
    }
  });
});
