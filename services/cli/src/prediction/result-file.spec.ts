import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDirectory } from "@aimass/testkit";
import { expect, it } from "vitest";
import { type Progress, ResultFile } from "./result-file.ts";

const done = (rows: number, refused = 0): Progress => ({ rows, refused, columns: undefined, versions: { 1: rows } });

it("a file has its name when it is whole, and until then another run goes on after what is done", async () => {
  await using folder = await tempDirectory();
  const path = join(folder.path, "out.csv");
  writeFileSync(path, "what was there\n");
  {
    await using sink = await ResultFile.open(path, { task: "t", resume: false });
    await sink.write("a\n", "", done(1));
    await sink.write("b\n", "bad\n", done(3, 1));
  }
  expect(readFileSync(path, "utf8")).toBe("what was there\n");
  // A run that was killed has written more than it has noted.
  appendFileSync(`${path}.partial`, "half a li");
  {
    await using sink = await ResultFile.open(path, { task: "t", resume: true });
    expect(sink.before).toMatchObject({ rows: 3, refused: 1, versions: { 1: 3 } });
    await sink.write("c\n", "", done(4, 1));
    await sink.finish();
  }
  expect(readFileSync(path, "utf8")).toBe("a\nb\nc\n");
  expect(readFileSync(`${path}.errors`, "utf8")).toBe("bad\n");
  expect(readdirSync(folder.path).sort()).toEqual(["out.csv", "out.csv.errors"]);
});

it("what is left of another task, or damaged, is not gone on with, but may be begun anew", async () => {
  await using folder = await tempDirectory();
  const path = join(folder.path, "out.csv");
  const begin = async (rows: string) => {
    await using sink = await ResultFile.open(path, { task: "t", resume: false });
    await sink.write(rows, "", done(2));
  };
  await begin("a\nb\n");
  await expect(ResultFile.open(path, { task: "other", resume: true })).rejects.toThrow(/another model/);
  writeFileSync(`${path}.partial`, "a");
  await expect(ResultFile.open(path, { task: "t", resume: true })).rejects.toThrow(/damaged/);
  await begin("a\nb\n");
  writeFileSync(`${path}.partial.json`, "{");
  await expect(ResultFile.open(path, { task: "t", resume: true })).rejects.toThrow(/damaged/);
  await using sink = await ResultFile.open(path, { task: "t", resume: false });
  expect(sink.before).toBeUndefined();
});

it("one process writes it at a time, and one that did nothing leaves nothing behind", async () => {
  await using folder = await tempDirectory();
  const path = join(folder.path, "out.csv");
  {
    await using _ = await ResultFile.open(path, { task: "t", resume: false });
    await expect(ResultFile.open(path, { task: "t", resume: true })).rejects.toThrow(`Process ${process.pid} writes`);
    expect(existsSync(path)).toBe(false);
  }
  expect(readdirSync(folder.path)).toEqual([]);
  mkdirSync(`${path}.partial`);
  await expect(ResultFile.open(path, { task: "t", resume: false })).rejects.toThrow(
    /out\.csv cannot be written \(EISDIR\)/,
  );
  await expect(ResultFile.open(join(folder.path, "no/out.csv"), { task: "t", resume: false })).rejects.toThrow(
    /no folder/,
  );
});
