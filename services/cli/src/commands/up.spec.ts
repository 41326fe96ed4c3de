import { afterEach, describe, expect, it, vi } from "vitest";
import { addressToSet, openDoors } from "./up.ts";

describe("a mesh that others can reach", () => {
  it.each(["127.0.0.1", "localhost", "::1", "127.8.0.1"])("is not warned of on %s", (host) => {
    expect(openDoors({ host })).toEqual([]);
  });

  it.each(["0.0.0.0", "::", "192.168.1.5", "models.example.com"])("is warned of without TLS on %s", (host) => {
    expect(openDoors({ host }).join("\n")).toMatch(new RegExp(`WARNING: others can reach ${host}.*clear text`));
  });
});

describe("a mesh whose commands look elsewhere", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is named once for all of them, unless they find it by themselves", () => {
    vi.stubEnv("AIMASS_SERVER", undefined);
    expect(addressToSet("http://127.0.0.1:5000")).toEqual([]);
    expect(addressToSet("http://127.0.0.1:5050").join()).toMatch(
      /export AIMASS_SERVER=http:\/\/127\.0\.0\.1:5050 .*:5000/,
    );
    vi.stubEnv("AIMASS_SERVER", "http://127.0.0.1:5050");
    expect(addressToSet("http://127.0.0.1:5050")).toEqual([]);
    expect(addressToSet("http://127.0.0.1:5000")).toHaveLength(1);
  });
});
