import { describe, expect, it } from "vitest";
import { readRegistryConfig } from "../../config.ts";
import { testVariables } from "../../testing/test-registry.ts";
import { remedyOfLimit } from "./errors.ts";

describe("a file over a limit", () => {
  it.each(["columns", "rows", "rowBytes", "zipTotalBytes", "imagePixels"])("names the variable of %s", (limit) => {
    const variable = /raise (AIMASS_\w+)\./.exec(remedyOfLimit(limit))?.[1] as string;
    const env = { ...testVariables("/tmp", "postgres://127.0.0.1/x"), [variable]: "none" };
    expect(() => readRegistryConfig(env)).toThrow(variable);
  });

  it("promises nothing where nobody can raise the limit", () => {
    expect(remedyOfLimit("zipRatio")).toBe("Make the file smaller.");
  });
});
