import { type Version, VersionSchema } from "@aimass/api/registry";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { diffVersions } from "./diff.ts";

const file = (path: string, filled: number) => ({ path, sha256: Buffer.alloc(32, filled), sizeBytes: 5n });

function version(change: MessageInitShape<typeof VersionSchema>): Version {
  return create(VersionSchema, { files: [file("model.onnx", 1)], ...change });
}

describe("two versions", () => {
  it("made of other code differ in it, and stay compatible", () => {
    const left = version({ lineage: { recipe: "script", code: [file("train.py", 1), file("old.py", 2)] } });
    const right = version({ lineage: { recipe: "script", code: [file("train.py", 3)] } });
    expect(diffVersions(left, right)).toEqual({
      differences: [
        "code old.py: 020202020202 (5 bytes) → none",
        "code train.py: 010101010101 (5 bytes) → 030303030303 (5 bytes)",
      ],
      compatible: true,
    });
  });

  it("learnt from other features, or found by another search, differ in the digests of both", () => {
    const left = version({ lineage: { featurePlanJson: '{"features":[]}', howJson: "" } });
    const right = version({ lineage: { featurePlanJson: '{"features":[{}]}', howJson: "{}" } });
    expect(diffVersions(left, right).differences).toEqual([
      expect.stringMatching(/^lineage featurePlanJson: [0-9a-f]{12} → [0-9a-f]{12}$/),
      expect.stringMatching(/^lineage howJson: none → [0-9a-f]{12}$/),
    ]);
  });

  it("without lineage, or with the same, do not differ in it", () => {
    expect(diffVersions(version({}), version({})).differences).toEqual([]);
    const scripted = version({ lineage: { code: [file("train.py", 1)] } });
    expect(diffVersions(scripted, scripted).differences).toEqual([]);
  });
});
