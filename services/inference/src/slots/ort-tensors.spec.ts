import type { Tensor } from "@aimass/oip";
import { describe, expect, it } from "vitest";
import { packRequests } from "../batching/packed-tensors.ts";
import { toFeeds } from "./ort-tensors.ts";

describe("feeds of a run", () => {
  it("have every input under its own name, one that JavaScript keeps for itself too", () => {
    const names = ["x", "__proto__", "constructor"];
    const tensors = names.map((name): Tensor => ({ name, datatype: "UINT8", shape: [1], bytes: Uint8Array.of(7) }));
    const feeds = toFeeds(packRequests([tensors]));
    expect(Object.keys(feeds)).toEqual(names);
    expect(Object.getPrototypeOf(feeds)).toBeNull();
  });
});
