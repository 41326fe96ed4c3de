import { expect, it } from "vitest";
import type { HeldVersion, LibraryModel, LibraryVersion } from "../reconcile/snapshot.ts";
import { withMeasured } from "./measured-memory.ts";

const version = (number: number, memoryBytes: number): LibraryVersion => ({
  version: number,
  servable: true,
  memoryBytes,
  diskBytes: 1,
  runLimitMs: 0,
  threads: 0,
});
const held = (number: number, leastMemory?: number): HeldVersion => ({
  key: "default.m",
  version: number,
  state: "ready",
  reason: "",
  parity: "",
  ...(leastMemory !== undefined && { leastMemory }),
});

it("a version needs what a replica measured where that is more than the registry's trial showed", () => {
  const model: LibraryModel = {
    aliases: new Map(),
    versions: new Map([1, 2, 3].map((n) => [n, version(n, 100)])),
  };
  const models = new Map([["default.m", model]]);
  const replicas = [{ held: [held(1, 300), held(2, 50), held(3)] }, { held: [held(1, 200), held(9, 500)] }];
  const versions = withMeasured(models, replicas).get("default.m")?.versions;
  expect([...(versions?.values() ?? [])].map((v) => v.memoryBytes)).toEqual([300, 100, 100]);
  expect(model.versions.get(1)?.memoryBytes).toBe(100);
});
