import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GpuLoan, GpuPool } from "./gpu-pool.ts";

describe("the devices of a trainer", () => {
  it("are each lent to one at a time, whoever borrows and gives back in whatever order", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 8 });
    const steps = fc.array(fc.oneof(fc.record({ borrow: fc.nat(9) }), fc.record({ giveBack: fc.nat(9) })));
    fc.assert(
      fc.property(names, steps, (gpus, moves) => {
        const pool = new GpuPool(gpus);
        const loans: GpuLoan[] = [];
        for (const move of moves) {
          if ("giveBack" in move) loans.splice(move.giveBack, 1)[0]?.[Symbol.dispose]();
          else if (move.borrow <= pool.free) loans.push(pool.lend(move.borrow));
          const lent = loans.flatMap((loan) => loan.gpus);
          expect(new Set(lent).size).toBe(lent.length);
          expect(lent.length + pool.free).toBe(gpus.length);
        }
      }),
    );
  });

  it("come back once, though they are given back twice", () => {
    const pool = new GpuPool(["0", "1"]);
    const loan = pool.lend(1);
    loan[Symbol.dispose]();
    using other = pool.lend(1);
    loan[Symbol.dispose]();
    expect(other.gpus).toEqual(["0"]);
    expect(pool.free).toBe(1);
  });

  it("are not lent when too few are free, and none to a job that wants more than there are", () => {
    const pool = new GpuPool(["0", "1"]);
    using _loan = pool.lend(1);
    expect(() => pool.lend(2)).toThrow("2 devices were to be lent, 1 are free.");
    expect(pool.lend(3).gpus).toEqual([]);
    expect(pool.free).toBe(1);
  });
});
