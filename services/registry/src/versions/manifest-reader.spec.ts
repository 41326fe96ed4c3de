import { describe, expect, it } from "vitest";
import { readManifestApart } from "./manifest-reader.ts";

describe("a model.yaml of a stranger", () => {
  it("is read in a thread of its own", async () => {
    const manifest = await readManifestApart(
      "description: x\nserving: { instances: 2 }\noutputs: [{ name: y, labels: [a] }]",
    );
    expect(manifest).toMatchObject({ description: "x", serving: { instances: 2 } });
    expect(manifest.classes.get("y")).toEqual(["a"]);
  });

  it("that is wrong is refused with what is wrong", async () => {
    await expect(readManifestApart("labels: 3")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      field: "model.yaml",
      message: "In model.yaml, labels is not a map.",
    });
  });

  it("that would keep a parser busy for a minute is cut off, and nothing else waits for it", async () => {
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 10);
    const reading = readManifestApart(`a: {${"a,".repeat(120_000)}}`, 1000);
    await expect(reading).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("too long"),
    });
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(20);
  });
});
