import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { type DataFile, type DatasetFormat, type DatasetSchema, memoryFile, openDataset } from "./index.ts";

const rows = 200_000;
const schema: DatasetSchema = {
  columns: [
    { name: "n", type: "number" },
    { name: "t", type: "string" },
  ],
};

function bytesOf(format: DatasetFormat): Uint8Array {
  const numbers = Array.from({ length: rows }, (_, i) => i + 0.5);
  if (format === "csv") return Buffer.from(`n,t\n${numbers.map((n) => `${n},text of row ${n}\n`).join("")}`);
  if (format === "json-lines") return Buffer.from(numbers.map((n) => `{"n":${n},"t":"text of row ${n}"}\n`).join(""));
  const columnData = [
    { name: "n", data: numbers, type: "DOUBLE" as const },
    { name: "t", data: numbers.map((n) => `text of row ${n}`), type: "STRING" as const },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: rows, pageSize: 65_536 }));
}

/** A file that counts the bytes read from it. */
function counted(bytes: Uint8Array): DataFile & { count: number } {
  const inner = memoryFile(bytes);
  return {
    ...inner,
    count: 0,
    read(offset, length, signal) {
      this.count += Math.min(length, bytes.byteLength - offset);
      return inner.read(offset, length, signal);
    },
  };
}

describe("reading", () => {
  it.each(["csv", "json-lines", "parquet"] as const)(
    "takes no more of a %s file than its next batch needs, even of one row group",
    async (format) => {
      const bytes = bytesOf(format);
      expect(bytes.byteLength).toBeGreaterThan(1_500_000);
      const file = counted(bytes);
      const dataset = await openDataset({ format, file, schema });
      const batches = dataset.batches({ batchRows: 1000 })[Symbol.asyncIterator]();
      expect((await batches.next()).value).toMatchObject({ rows: 1000, firstRow: 0 });
      expect(file.count).toBeLessThan(600_000);
      await batches.return?.();
    },
  );

  it.each(["csv", "json-lines", "parquet"] as const)(
    "a %s file twice at the same time gives the same rows",
    async (format) => {
      const dataset = await openDataset({ format, file: memoryFile(bytesOf(format)), schema });
      const sum = async (batchRows: number) => {
        let total = 0;
        for await (const batch of dataset.batches({ batchRows, columns: ["n"] })) {
          const column = batch.columns.get("n");
          if (column?.type === "number") for (const value of column.values) total += value;
        }
        return total;
      };
      expect(await Promise.all([sum(999), sum(10_000)])).toEqual([(rows * rows) / 2, (rows * rows) / 2]);
    },
  );
});
