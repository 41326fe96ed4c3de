import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { bundleDigest, readBundle } from "./bundle.ts";

const file = (path: string, fill = 1) => ({ path, sha256: Buffer.alloc(32, fill), sizeBytes: 0n });

describe("a bundle", () => {
  it("is ordered by path, and its digest does not depend on the order it came in", () => {
    const forth = readBundle([file("model.onnx", 1), file("weights/a.bin", 2), file("model.yaml", 3)]);
    const back = readBundle([file("model.yaml", 3), file("weights/a.bin", 2), file("model.onnx", 1)]);
    expect(forth.map((entry) => entry.path)).toEqual(["model.onnx", "model.yaml", "weights/a.bin"]);
    expect(bundleDigest(forth)).toEqual(bundleDigest(back));
  });

  it("has the digest the contract describes", () => {
    const expected = createHash("sha256").update("model.onnx\0").update(Buffer.alloc(32, 7)).digest();
    expect(bundleDigest(readBundle([file("model.onnx", 7)]))).toEqual(expected);
  });

  it.each([
    "../model.onnx",
    "/etc/passwd",
    "a//b",
    "a/./b",
    "a/../../b",
    "a\\b",
    "C:/x",
    "",
    "a/",
    "tab\there",
    " space",
    "x".repeat(300),
  ])("refuses the path %j", (path) => {
    expect(() => readBundle([file("model.onnx"), file(path)])).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", field: "files[1].path" }),
    );
  });

  it.each([
    [["weights.bin"], 'no file "model.onnx"'],
    [["model.onnx", "a", "a"], "comes twice"],
    [["model.onnx", "Weights.bin", "weights.bin"], "comes twice"],
    [["model.onnx", "a", "a/b"], "a file and a folder"],
  ])("of %j is refused: %s", (paths, words) => {
    expect(() => readBundle(paths.map((path) => file(path)))).toThrow(words);
  });

  it("refuses a digest that is none", () => {
    expect(() => readBundle([{ path: "model.onnx", sha256: Buffer.alloc(31), sizeBytes: 0n }])).toThrow("31 bytes");
  });
});
