import { ScriptSchema } from "@aimass/api/trainer";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvCell } from "./script-data.ts";
import { ScriptRules, scriptLimits } from "./script-rules.ts";
import type { ScriptSettings } from "./script-settings.ts";

const most = { seconds: 60, memoryBytes: 2 ** 30, cpus: 2, processes: 64, diskBytes: 2 ** 30, gpus: ["0", "1"] };
const settings: ScriptSettings = { isolation: "unsafe-process", paths: [], hidden: [], most };

async function judge(script: MessageInitShape<typeof ScriptSchema>, own: Partial<ScriptSettings> = {}) {
  const rules = new ScriptRules({ ...settings, ...own }, { runsHere: true, trainers: { mostGpus: async () => 3 } });
  return rules.check(create(ScriptSchema, script)).then(
    () => "fine",
    (error: { code: string; field: string }) => `${error.code} ${error.field}`,
  );
}

const sha256 = new Uint8Array(32);

describe("a script in a job's spec", () => {
  it.each([
    [{ command: ["python3", "train.py"], files: [{ path: "a/train.py", sha256 }] }, "fine"],
    [{}, "INVALID_ARGUMENT spec.script.command"],
    [{ command: ["a\0b"] }, "INVALID_ARGUMENT spec.script.command"],
    [{ command: ["x"], files: [{ path: "../x", sha256 }] }, "INVALID_ARGUMENT spec.script.files[0].path"],
    [{ command: ["x"], files: [{ path: "/x", sha256 }] }, "INVALID_ARGUMENT spec.script.files[0].path"],
    [{ command: ["x"], files: [{ path: "x" }] }, "INVALID_ARGUMENT spec.script.files[0].sha256"],
    [
      {
        command: ["x"],
        files: [
          { path: "x", sha256 },
          { path: "x", sha256 },
        ],
      },
      "INVALID_ARGUMENT spec.script.files[1].path",
    ],
    [{ command: ["x"], environment: { AIMASS_SEED: "1" } }, "INVALID_ARGUMENT spec.script.environment"],
    [{ command: ["x"], environment: { LD_PRELOAD: "x.so" } }, "INVALID_ARGUMENT spec.script.environment"],
    [{ command: ["x"], environment: { GCONV_PATH: "/job/code" } }, "INVALID_ARGUMENT spec.script.environment"],
    [{ command: ["x"], environment: { A: "1".repeat(70_000) } }, "INVALID_ARGUMENT spec.script.environment"],
    [{ command: ["x"], files: [{ path: "x".repeat(256), sha256 }] }, "INVALID_ARGUMENT spec.script.files[0].path"],
    [
      { command: ["x"], files: [{ path: "x", sha256, sizeBytes: -1n }] },
      "INVALID_ARGUMENT spec.script.files[0].size_bytes",
    ],
    [{ command: ["x"], environment: { "A B": "1" } }, "INVALID_ARGUMENT spec.script.environment"],
    [{ command: ["x"], limits: { seconds: 61 } }, "INVALID_ARGUMENT spec.script.limits.seconds"],
    [{ command: ["x"], limits: { seconds: Number.NaN } }, "INVALID_ARGUMENT spec.script.limits.seconds"],
    [{ command: ["x"], limits: { memoryBytes: -1n } }, "INVALID_ARGUMENT spec.script.limits.memory_bytes"],
    [{ command: ["x"], limits: { gpus: 3 } }, "fine"],
    [{ command: ["x"], limits: { gpus: 4 } }, "INVALID_ARGUMENT spec.script.limits.gpus"],
    [{ command: ["x"], limits: { gpus: -1 } }, "INVALID_ARGUMENT spec.script.limits.gpus"],
  ] as const)("$1", async (script, verdict) => {
    expect(await judge(script as MessageInitShape<typeof ScriptSchema>)).toBe(verdict);
  });

  it("is refused where scripts are off, and where a path cannot be shown to it", async () => {
    expect(await judge({ command: ["x"] }, { isolation: "off" })).toBe("FAILED_PRECONDITION spec.script");
    const hidden = { isolation: "bubblewrap", paths: ["/usr/share"], hidden: ["/usr"] } as const;
    expect(await judge({ command: ["x"] }, hidden)).toBe("FAILED_PRECONDITION spec.script");
  });

  it("gets what it asks for, and without asking what there is", () => {
    const { gpus: _, ...all } = most;
    expect(scriptLimits(undefined, most)).toEqual(all);
    const asked = create(ScriptSchema, { limits: { seconds: 1, cpus: 1, gpus: 1 } }).limits;
    expect(scriptLimits(asked, most)).toEqual({ ...all, seconds: 1, cpus: 1 });
  });
});

describe("a cell of the file that a script reads", () => {
  it("is read as it was, by whoever reads RFC 4180", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" }), { minLength: 2, maxLength: 5 }), (cells) => {
        expect(parse(`${cells.map(csvCell).join(",")}\r\n`)).toEqual([cells]);
      }),
    );
  });

  it.each([
    [undefined, ""],
    ["", '""'],
    [1e21, "1e+21"],
    [true, "true"],
    ['a "b"', '"a ""b"""'],
  ])("%j is %j", (value, text) => {
    expect(csvCell(value)).toBe(text);
  });
});
