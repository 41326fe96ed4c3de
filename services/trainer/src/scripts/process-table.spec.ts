import { describe, expect, it } from "vitest";
import { parseCpuList } from "./cpu-choice.ts";
import { descendants, type ProcessEntry, parseStat, readProcess } from "./process-table.ts";

describe("the table of processes", () => {
  it("knows who we are", () => {
    const own = readProcess(process.pid);
    expect(own).toMatchObject({ pid: process.pid, parent: process.ppid, isZombie: false });
    expect(own?.threads).toBeGreaterThan(1);
  });

  it("reads a process that gave itself a name to mislead", () => {
    const stat = "42 (a) Z 1 (b) S 7 42 41 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 3 0 9876 1000 50 18446744073709551615";
    const entry = { pid: 42, parent: 7, group: 42, session: 41, isZombie: false, threads: 3, startTime: 9876 };
    expect(parseStat(stat)).toEqual(entry);
  });

  it("has nothing of a process that is gone", () => {
    expect(parseStat("")).toBeUndefined();
    expect(readProcess(2 ** 30)).toBeUndefined();
  });

  it("gives a process with all that descend from it, and nobody twice", () => {
    const entry = (pid: number, parent: number): ProcessEntry => {
      return { pid, parent, group: 0, session: 0, isZombie: false, threads: 1, startTime: 0 };
    };
    const table = [entry(1, 0), entry(2, 1), entry(3, 2), entry(4, 3), entry(5, 1), entry(6, 2)];
    const pids = descendants(table, ({ pid }) => pid === 2 || pid === 3).map(({ pid }) => pid);
    expect(pids.toSorted()).toEqual([2, 3, 4, 6]);
  });
});

describe("a list of processors", () => {
  it.each([
    ["0-3", [0, 1, 2, 3]],
    ["0,2-3,7", [0, 2, 3, 7]],
    ["5\n", [5]],
    ["", []],
  ])("%j", (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });
});
