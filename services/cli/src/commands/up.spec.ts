import { describe, expect, it } from "vitest";
import { openDoors } from "./up.ts";

describe("a mesh that others can reach", () => {
  it.each(["127.0.0.1", "localhost", "::1", "127.8.0.1"])("is not warned of on %s", (host) => {
    expect(openDoors({ host })).toEqual([]);
  });

  it.each(["0.0.0.0", "::", "192.168.1.5", "models.example.com"])("is warned of without TLS on %s", (host) => {
    expect(openDoors({ host }).join("\n")).toMatch(new RegExp(`WARNING: others can reach ${host}.*clear text`));
  });
});
