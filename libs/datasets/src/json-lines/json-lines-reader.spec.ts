import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DatasetSchema, memoryFile, openDataset, profileDataset, valueAt } from "../index.ts";

const file = (text: string | Buffer) => memoryFile(Buffer.from(text));

async function rowsOf(text: string, schema: DatasetSchema): Promise<unknown[][]> {
  const dataset = await openDataset({ format: "json-lines", file: file(text), schema });
  const rows: unknown[][] = [];
  for await (const batch of dataset.batches({ batchRows: 3 })) {
    const columns = [...batch.columns.values()];
    for (let row = 0; row < batch.rows; row++) rows.push(columns.map((column) => valueAt(column, row)));
  }
  return rows;
}

async function refusal(text: string | Buffer, limits = {}): Promise<AimassError> {
  const error = await profileDataset({ format: "json-lines", file: file(text), limits }).then(
    () => expect.unreachable("the file was taken"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AimassError);
  return error as AimassError;
}

describe("JSON Lines", () => {
  it("give back every table that was written", async () => {
    const row = fc.record(
      {
        n: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
        "t:{": fc.option(fc.string({ unit: "grapheme" })),
        b: fc.option(fc.boolean()),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 30 }), async (rows) => {
        const schema: DatasetSchema = {
          columns: [
            { name: "n", type: "number" },
            { name: "t:{", type: "string" },
            { name: "b", type: "boolean" },
          ],
        };
        const expected = rows.map((r) =>
          [r.n, r["t:{"], r.b].map((value) => (Object.is(value, -0) ? -0 : (value ?? undefined))),
        );
        const text = rows.map((r) => JSON.stringify(r)).join("\r\n");
        const found = await rowsOf(text, schema);
        // JSON has no negative zero.
        expect(found).toEqual(expected.map((values) => values.map((value) => (Object.is(value, -0) ? 0 : value))));
      }),
      { numRuns: 200 },
    );
  });

  it("have the columns of all their lines, in order of appearance", async () => {
    const { schema, columns } = await profileDataset({
      format: "json-lines",
      file: file('\ufeff{"a":1}\n\n{"b":true,"a":null}\n'),
    });
    expect(schema.columns).toEqual([
      { name: "a", type: "number" },
      { name: "b", type: "boolean" },
    ]);
    expect(columns.map(({ count, missing }) => [count, missing])).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  it.each([
    [
      "objects inside and nothing else",
      '{"a":1}\n{"a":{"b":1}}',
      'column "a" holds lists or objects beside other values',
    ],
    ["a list instead", "[1,2]", "Row 1 (line 1): this is no object."],
    ["a name twice", '{"a":1,"a":2}', "a name occurs twice"],
    ["half a line", '{"a":1', "this is not JSON"],
    [
      "two types in one column",
      '{"a":1}\n\n{"a":"x"}',
      'Row 2 (line 3), column "a": "x" is a string, but row 1 has a number.',
    ],
    ["nothing", "\n\n", "The file has no rows."],
    ["objects without values", "{}\n{}", "No object of the file has a value."],
    ["a number beyond all bounds", '{"a":1e999}', "too large for a 64-bit float"],
    ["Latin-1", Buffer.from('{"a":"M\xfcller"}', "latin1"), "the text is not UTF-8"],
  ])("refuse %s with a sentence that says where", async (_, text, sentence) => {
    expect((await refusal(text)).advice).toContain(sentence);
  });

  it("refuse a name that the schema does not know", async () => {
    const schema: DatasetSchema = { columns: [{ name: "a", type: "number" }] };
    await expect(rowsOf('{"a":1}\n{"a":1,"c":2}', schema)).rejects.toThrow(
      'Row 2 (line 2) has a value for "c", which is no column.',
    );
  });

  it("keep a column named __proto__ a column", async () => {
    const schema: DatasetSchema = {
      columns: [
        { name: "__proto__", type: "number" },
        { name: "constructor", type: "string" },
      ],
    };
    expect(await rowsOf('{"__proto__": 5}\n{"constructor": "x"}', schema)).toEqual([
      [5, undefined],
      [undefined, "x"],
    ]);
  });
});

describe("limits of JSON Lines", () => {
  it("refuse brackets without end, lines without end and objects of too many values", async () => {
    expect((await refusal(`{"a":${"[".repeat(1_000_000)}`)).message).toContain("an object or a list inside");
    expect(await refusal(`{"a":"${"x".repeat(3_000_000)}"}`, { rowBytes: 1_000_000 })).toMatchObject({
      field: "rowBytes",
    });
    const wide = `{${Array.from({ length: 20_000 }, (_, i) => `"c${i}":1`).join(",")}}`;
    expect(await refusal(wide)).toMatchObject({ reason: "DATASET_LIMIT", field: "columns" });
    const growing = Array.from({ length: 200 }, (_, i) => `{"c${i}":1}`).join("\n");
    expect(await refusal(growing, { columns: 100 })).toMatchObject({ field: "columns" });
    expect(await refusal('{"a":1}\n'.repeat(11), { rows: 10 })).toMatchObject({ field: "rows" });
  });
});
