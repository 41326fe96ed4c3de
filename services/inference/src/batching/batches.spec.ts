import { bytesFromElements, elementSize, type Tensor } from "@aimass/oip";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alignOffset, packInTurns, packRequests, unpack } from "./packed-tensors.ts";
import { splitOutputs, unlikeRows } from "./split-outputs.ts";

/** Tensors of one name, type and inner shape, with any number of rows each, filled with anything. */
const requests = fc
  .record({
    datatype: fc.constantFrom("FP32", "INT64", "UINT8", "FP16", "BYTES" as const),
    inner: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
    rows: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 6 }),
    seed: fc.nat(),
  })
  .map(({ datatype, inner, rows, seed }) =>
    rows.map((count, request): Tensor[] => {
      const elements = inner.reduce((product, n) => product * n, count);
      const fill = (i: number) => (seed + request * 31 + i * 7) % 256;
      const bytes =
        datatype === "BYTES"
          ? bytesFromElements(Array.from({ length: elements }, (_, i) => "ß".repeat(fill(i) % 5)))
          : Uint8Array.from({ length: elements * elementSize(datatype) }, (_, i) => fill(i));
      return [{ name: "t", datatype, shape: [count, ...inner], bytes }];
    }),
  );

describe("where tensors begin in a buffer", () => {
  it.each([
    [0, 0],
    [1, 64],
    [64, 64],
    [2 ** 31 - 1, 2 ** 31],
    [2 ** 32 + 1, 2 ** 32 + 64],
  ])("rounds %i up to %i", (offset, aligned) => {
    expect(alignOffset(offset)).toBe(aligned);
  });
});

describe("a batch", () => {
  it("gives back what went in: joined and split again, every request has its own bytes and shape", async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (all) => {
        const joined = unpack(packRequests(all));
        const parts = await splitOutputs(
          joined,
          all.map(([tensor]) => tensor?.shape[0] ?? 0),
        );
        all.forEach(([given], i) => {
          const [got] = parts[i] ?? [];
          expect(got?.shape).toEqual(given?.shape);
          expect(Buffer.from(got?.bytes ?? []).equals(Buffer.from(given?.bytes ?? []))).toBe(true);
        });
      }),
    );
  });

  it("is packed the same in turns as at once, whatever its size", async () => {
    for (const rows of [3, 3_000_000]) {
      const request = (seed: number): Tensor[] => [
        { name: "a", datatype: "UINT8", shape: [rows], bytes: new Uint8Array(rows).map((_, i) => (i * seed) % 251) },
        { name: "b", datatype: "UINT8", shape: [rows, 1], bytes: new Uint8Array(rows).fill(seed) },
      ];
      const all = [request(3), request(5)];
      const [atOnce, inTurns] = [packRequests(all), packInTurns(all)];
      // What is small goes on in the same turn.
      expect(inTurns instanceof Promise).toBe(rows > 3);
      const packed = await inTurns;
      expect(packed.tensors).toEqual(atOnce.tensors);
      expect(Buffer.compare(Buffer.from(packed.buffer), Buffer.from(atOnce.buffer))).toBe(0);
    }
  });

  it("of many strings leaves others their turns while it is split", async () => {
    const rows = 2_000_000;
    const bytes = Buffer.alloc(rows * 5, Buffer.of(1, 0, 0, 0, 97));
    let turns = 0;
    const count = () => {
      turns += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    const parts = await splitOutputs([{ name: "y", datatype: "BYTES", shape: [rows], bytes }], [rows - 1, 1]);
    clearImmediate(timer);
    expect(parts.map(([part]) => part?.bytes.length)).toEqual([(rows - 1) * 5, 5]);
    expect(turns).toBeGreaterThanOrEqual(7);
  });

  it("begins every tensor where any element type may begin", () => {
    const tensor = (name: string, length: number): Tensor => ({
      name,
      datatype: "UINT8",
      shape: [1, length],
      bytes: new Uint8Array(length),
    });
    const { tensors } = packRequests([[tensor("a", 3), tensor("b", 65), tensor("c", 1)]]);
    expect(tensors.map((t) => t.offset)).toEqual([0, 64, 192]);
  });

  it("is not split when an output does not have a row for each of its rows", () => {
    const output: Tensor = { name: "y", datatype: "UINT8", shape: [1, 4], bytes: new Uint8Array(4) };
    expect(unlikeRows([output], 2)).toBe('output "y" has 1 rows for 2 rows of its inputs.');
    expect(unlikeRows([{ ...output, shape: [] }], 2)).toMatch(/no axes for 2 rows/);
    // Two outputs, of which one grows: neither is divided.
    expect(unlikeRows([{ ...output, shape: [2, 2] }, output], 2)).toMatch(/1 rows for 2/);
    expect(unlikeRows([{ ...output, shape: [3, 2], bytes: new Uint8Array(7) }], 3)).toMatch(/no whole rows/);
    expect(unlikeRows([{ ...output, shape: [2, 2] }], 2)).toBeUndefined();
  });
});
