import { readConfig } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { defaultLimits, type Limits, overLimit, readDatasetLimits } from "./limits.ts";

const remedyOf = (limit: keyof Limits) => overLimit(limit, defaultLimits, "The file asks for much").remedy ?? "";

describe("a file over a limit", () => {
  it.each([
    ["columns", 9000],
    ["rows", 9],
    ["rowBytes", 9000],
    ["zipTotalBytes", 2 ** 21],
    ["imagePixels", 9],
  ] as const)("names the variable that raises %s", (limit, value) => {
    const variable = /raise (AIMASS_\w+)\./.exec(remedyOf(limit))?.[1] ?? "";
    expect(readConfig({ [variable]: String(value) }, readDatasetLimits)).toMatchObject({ [limit]: value });
  });

  it("promises nothing where nobody can raise the limit", () => {
    expect(remedyOf("zipRatio")).toBe("Make the file smaller.");
  });
});
