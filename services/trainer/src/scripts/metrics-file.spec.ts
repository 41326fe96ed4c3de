import { execFileSync } from "node:child_process";
import { appendFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withTempDirectory } from "@aimass/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MetricsFile } from "./metrics-file.ts";
import type { ScriptMetric } from "./script-run.ts";

async function follow(work: (path: string, file: MetricsFile) => Promise<void>) {
  const points: ScriptMetric[] = [];
  const problems: string[] = [];
  await withTempDirectory(async (folder) => {
    const path = join(folder, "metrics.jsonl");
    await using file = new MetricsFile({
      path,
      onMetric: (point) => points.push(point),
      onProblem: (line) => problems.push(line),
    });
    await work(path, file);
  });
  return { points, problems };
}

describe("a metrics file", () => {
  it("is read while it grows, and a half line waits for its end", async () => {
    const { points } = await follow(async (path, file) => {
      expect(await file.read()).toBe(false);
      await writeFile(path, '{"step": 10, "loss": 0.31, "accuracy": 0.9}\n{"step": 2');
      await file.read();
      await appendFile(path, '0, "loss": 0.2, "note": "no number"}\n{"loss": 0.1}');
      await file.finish();
    });
    expect(points).toEqual([
      { name: "loss", step: 10, value: 0.31 },
      { name: "accuracy", step: 10, value: 0.9 },
      { name: "loss", step: 20, value: 0.2 },
      { name: "loss", step: 3, value: 0.1 },
    ]);
  });

  it("with lines that are none tells of the first and reads the others", async () => {
    const bad = ["loss=3", "[1]", '{"loss": NaN}', "null", "{".repeat(100_000)];
    const { points, problems } = await follow(async (path, file) => {
      await writeFile(path, [...bad, '{"step": 1, "loss": 2}'].join("\n"));
      await file.finish();
    });
    expect(points).toEqual([{ name: "loss", step: 1, value: 2 }]);
    expect(problems).toEqual(['Line 1 of the metrics file is not like {"step": 1, "loss": 0.3}; it holds "loss=3".']);
  });

  it("of any bytes never throws", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (bytes) => {
        await follow(async (path, file) => {
          await writeFile(path, bytes);
          await file.finish();
        });
      }),
      { numRuns: 50 },
    );
  });

  it("is read up to a bound", async () => {
    const { points, problems } = await follow(async (path, file) => {
      await writeFile(path, '{"a": 1, "b": 2}\n'.repeat(60_000));
      await file.finish();
    });
    expect(points).toHaveLength(100_000);
    expect(problems).toHaveLength(1);
  });

  it.each([
    ["a link", (path: string) => symlink("/proc/self/environ", path)],
    ["a pipe that nobody writes to", async (path: string) => void execFileSync("mkfifo", [path])],
  ])("that is %s is not read", async (_, make) => {
    const { points, problems } = await follow(async (path, file) => {
      await make(path);
      await file.finish();
    });
    expect([...points, ...problems]).toEqual([]);
  });
});
