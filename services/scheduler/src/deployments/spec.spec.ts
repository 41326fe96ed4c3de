import { DeploymentSpecSchema, Loading, Sharing } from "@aimass/api/scheduler";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { normaliseSpec } from "./spec.ts";

const spec = (init: MessageInitShape<typeof DeploymentSpecSchema>) => create(DeploymentSpecSchema, init);

describe("normaliseSpec()", () => {
  it("fills in every default", () => {
    expect(normaliseSpec(spec({ model: "fraud" }))).toMatchObject({
      project: "default",
      model: "fraud",
      aliases: ["default"],
      versions: [],
      replicas: 1,
      sharing: Sharing.SHARED,
      deviceKind: "",
      keepWarm: 1,
      loading: Loading.RESIDENT,
    });
  });

  it("makes equal wishes equal", () => {
    const one = normaliseSpec(spec({ model: "fraud", aliases: ["b", "a", "b"], versions: [2n, 1n, 2n], keepWarm: 1 }));
    const other = normaliseSpec(
      spec({ project: "default", model: "fraud", aliases: ["a", "b"], versions: [1n, 2n], replicas: 1 }),
    );
    expect(one).toEqual(other);
  });

  it("keeps a keep_warm of 0", () => {
    expect(normaliseSpec(spec({ model: "fraud", keepWarm: 0 })).keepWarm).toBe(0);
  });

  it.each([
    ["spec", undefined],
    ["spec.model", spec({})],
    ["spec.model", spec({ model: "a.b" })],
    ["spec.project", spec({ project: "Team", model: "fraud" })],
    ["spec.aliases", spec({ model: "fraud", aliases: ["7"] })],
    ["spec.aliases", spec({ model: "fraud", aliases: Array.from({ length: 65 }, (_, i) => `a${i}`) })],
    ["spec.versions", spec({ model: "fraud", versions: [0n] })],
    ["spec.replicas", spec({ model: "fraud", replicas: -1 })],
    ["spec.replicas", spec({ model: "fraud", replicas: 1001 })],
    ["spec.keep_warm", spec({ model: "fraud", keepWarm: 17 })],
    ["spec.device_kind", spec({ model: "fraud", deviceKind: "tpu" })],
  ])("refuses a bad %s", (field, bad) => {
    expect(() => normaliseSpec(bad)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", field }));
  });
});
