import { readFile } from "node:fs/promises";
import { AimassError } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { type DatasetFormat, type DatasetOptions, memoryFile, openDataset, profileDataset, valueAt } from "./index.ts";

type Told = Omit<DatasetOptions, "format" | "file">;

const csv = 'name,age,rubbish,city\nAda,36,"1,5",Paris\nBob,41,3,Rome\n';
const jsonLines =
  '{"name":"Ada","age":36,"rubbish":{"a":[1]},"city":"Paris"}\n{"name":"Bob","age":41,"rubbish":"x","city":"Rome"}\n';

/** What a profile says of the columns, and the rows that are read by its schema, as a version is. */
async function tableOf(format: DatasetFormat, content: string | Uint8Array, told: Told = {}) {
  const file = () => memoryFile(Buffer.from(content));
  const { schema, columns, warnings } = await profileDataset({ format, file: file(), ...told });
  await using dataset = await openDataset({ format, file: file(), schema });
  const rows: unknown[][] = [];
  for await (const { columns: data, rows: count } of dataset.batches({ batchRows: 2 })) {
    for (let row = 0; row < count; row++) rows.push([...data.values()].map((column) => valueAt(column, row)));
  }
  const names = schema.columns.map(({ name }) => name);
  expect(columns.map(({ name }) => name)).toEqual(names);
  return { names, rows, warnings, schema };
}

async function refusal(format: DatasetFormat, content: string | Uint8Array, told: Told): Promise<AimassError> {
  const error = await tableOf(format, content, told).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AimassError);
  return error as AimassError;
}

const parquet = async (name: string) => await readFile(new URL(`./parquet/fixtures/${name}.parquet`, import.meta.url));

describe.each([
  ["csv", csv],
  ["json-lines", jsonLines],
] as const)("columns of %s", (format, content) => {
  it("are chosen: nothing else is looked at", async () => {
    const { names, rows } = await tableOf(format, content, { columns: ["city", "age"] });
    expect(names).toEqual(["age", "city"]);
    expect(rows).toEqual([
      [36, "Paris"],
      [41, "Rome"],
    ]);
  });

  it("are left out, whatever they hold", async () => {
    const { names, warnings } = await tableOf(format, content, { without: ["rubbish"] });
    expect(names).toEqual(["name", "age", "city"]);
    expect(warnings).toEqual([]);
  });

  it("are renamed, to each other's names too, and their types go by the file's names", async () => {
    const rename = new Map([
      ["name", "city"],
      ["city", "name"],
    ]);
    const types = new Map([["age", "string"]] as const);
    const { names, rows } = await tableOf(format, content, { without: ["rubbish"], rename, types });
    expect(names).toEqual(["city", "age", "name"]);
    expect(rows).toEqual([
      ["Ada", "36", "Paris"],
      ["Bob", "41", "Rome"],
    ]);
  });

  it.each([
    ["columns", { columns: ["ages"] }],
    ["without", { without: ["ages"] }],
    ["rename", { rename: new Map([["ages", "years"]]) }],
  ] as const)("that are not there are refused in %s, with what was meant", async (field, told) => {
    const error = await refusal(format, content, told);
    expect(error).toMatchObject({ field, message: 'The file has no column "ages".' });
    expect(error.remedy).toContain("Did you mean age?");
  });

  it("cannot get the name of another one", async () => {
    const error = await refusal(format, content, { without: ["rubbish"], rename: new Map([["name", "age"]]) });
    expect(error.message).toBe('Two columns would be called "age".');
  });
});

describe("columns that no model takes", () => {
  it.each(["pyarrow-nested", "pyarrow-nested-v2"])(
    "of Parquet are left out by name, and lists of numbers spread: %s",
    async (name) => {
      const { names, rows, warnings } = await tableOf("parquet", await parquet(name));
      expect(names).toEqual(["id", "vector_0", "vector_1", "vector_2", "fixed_0", "fixed_1", "y"]);
      expect(rows).toEqual(
        [0, 1, 2, 3, 4].map((i) => [
          ...[i, ...(i === 2 ? [undefined, undefined, undefined] : [i, undefined, i + 0.5])],
          ...[i, 0 - i, `c${i % 2}`],
        ]),
      );
      for (const sentence of [
        'Column "ragged" holds lists of different lengths, which no model takes; it is left out.',
        'Column "words" holds lists of other values than numbers',
        'Column "point" holds structs',
        'Column "blob" holds binary values',
        'Column "lookup" holds maps',
        'Column "fixedblob" holds values of type FIXED_LEN_BYTE_ARRAY',
        'Column "vector" holds lists of 3 numbers; they are columns of their own: "vector_0" and so on.',
      ])
        expect(warnings.join("\n")).toContain(sentence);
    },
  );

  it("of Parquet are left out without a word where people say so, and one number of a list may be all that is read", async () => {
    const without = ["ragged", "words", "point", "blob", "lookup", "fixedblob", "vector_1"];
    const told = { without, rename: new Map([["vector_2", "third"]]) };
    const { names, rows, warnings } = await tableOf("parquet", await parquet("pyarrow-nested"), told);
    expect(names).toEqual(["id", "vector_0", "third", "fixed_0", "fixed_1", "y"]);
    expect(rows[1]).toEqual([1, 1, 1.5, 1, -1, "c1"]);
    expect(warnings.filter((warning) => warning.includes("left out"))).toEqual([]);
    const one = await tableOf("parquet", await parquet("pyarrow-nested"), { columns: ["fixed_1", "y"] });
    expect(one.names).toEqual(["fixed_1", "y"]);
    expect(one.rows[3]).toEqual([-3, "c1"]);
  });

  it.each(["parquet", "json-lines"] as const)("take the new name of their column: %s", async (format) => {
    const lines = '{"id":1,"vector":[1,2]}\n{"id":2,"vector":[3,4]}\n';
    const content = format === "parquet" ? await parquet("pyarrow-nested") : lines;
    const rename = new Map([
      ["vector", "v"],
      ["vector_1", "second"],
    ]);
    const { names, rows, schema } = await tableOf(format, content, { rename });
    expect(names.slice(1, 3)).toEqual(["v_0", "second"]);
    expect(rows[0]?.[1]).toBe(format === "parquet" ? 0 : 1);
    expect(schema.columns[1]).toMatchObject({ name: "v_0", source: "vector", element: 0 });
    const clash = await refusal(format, content, {
      rename: new Map([
        ["vector", "x"],
        ["id", "x_0"],
      ]),
    });
    expect(clash.message).toBe('Two columns would be called "x_0".');
  });

  it("are read in the time of their numbers, however long they are", async () => {
    const line = `${JSON.stringify({ vector: Array.from({ length: 60_000 }, (_, i) => i) })}\n`;
    const columns = Array.from({ length: 60_000 }, (_, element) => {
      return { name: `vector_${element}`, type: "number", source: "vector", element } as const;
    });
    const file = memoryFile(Buffer.from(line.repeat(4)));
    await using dataset = await openDataset({ format: "json-lines", file, schema: { columns } });
    for await (const batch of dataset.batches({ batchRows: 4 })) {
      expect(batch.columns.get("vector_59999")?.values[3]).toBe(59_999);
    }
  }, 10_000);

  it("of JSON Lines likewise", async () => {
    const lines = [0, 1, 2].map((i) =>
      JSON.stringify({
        ...{ id: i, vector: i === 1 ? null : [i, null, 0.5], ragged: [i].concat(i > 0 ? [1] : []) },
        ...{ words: ["a"], point: { id: 7, list: [[1]] }, mixed: i === 0 ? 1 : [1], y: "a" },
      }),
    );
    const { names, rows, warnings } = await tableOf("json-lines", lines.join("\n"));
    expect(names).toEqual(["id", "vector_0", "vector_1", "vector_2", "y"]);
    expect(rows).toEqual([
      [0, 0, undefined, 0.5, "a"],
      [1, undefined, undefined, undefined, "a"],
      [2, 2, undefined, 0.5, "a"],
    ]);
    for (const name of ["ragged", "words", "point", "mixed"])
      expect(warnings.filter((warning) => warning.startsWith(`Column "${name}" holds`))).toHaveLength(1);
  });

  it("are no reason for more columns than there may be", async () => {
    const lines = `{"y":1,"vector":[${Array.from({ length: 50 }, () => 1)}]}\n`;
    const { names, warnings } = await tableOf("json-lines", lines, { limits: { columns: 40 } });
    expect(names).toEqual(["y"]);
    expect(warnings.join()).toContain("holds lists of 50 numbers (the limit is 40 columns)");
  });

  it("are a reason to refuse a file that has nothing else", async () => {
    const error = await refusal("json-lines", '{"a":{"b":1}}\n', {});
    expect(error.message).toBe('The file has no column that a model takes: column "a" holds objects.');
  });
});
