import { ModelRouteSchema } from "@aimass/api/scheduler";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { readModelRoute } from "./model-routes.ts";
import { requestedAlias, resolveVersion } from "./resolve-version.ts";

const held = ["node/cpu-0"];

function model(versions: Record<string, string[]>, aliases: Record<string, Record<string, number>> = {}) {
  return readModelRoute(
    create(ModelRouteSchema, {
      project: "default",
      name: "m",
      versions: Object.entries(versions).map(([version, replicaIds]) => ({ version: BigInt(version), replicaIds })),
      aliases: Object.entries(aliases).map(([alias, shares]) => ({
        alias,
        targets: Object.entries(shares).map(([version, share]) => ({ version: BigInt(version), share })),
      })),
    }),
  );
}

/** As the scheduler tells it: `warm` versions are kept for a rollback, `next` is what an alias waits for. */
function deployed(
  versions: Record<string, string[]>,
  aliases: Record<string, string | undefined>,
  { warm = [], next = {} }: { warm?: readonly string[]; next?: Record<string, string> } = {},
) {
  return readModelRoute(
    create(ModelRouteSchema, {
      project: "default",
      name: "m",
      versions: Object.entries(versions).map(([version, replicaIds]) => ({
        version: BigInt(version),
        replicaIds,
        warm: warm.includes(version),
        aliases: next[version] === undefined ? [] : [next[version]],
      })),
      aliases: Object.entries(aliases).map(([alias, to]) => ({
        alias,
        targets: to === undefined ? [] : [{ version: BigInt(to), share: 10_000 }],
      })),
    }),
  );
}

describe("a request without a version", () => {
  it.each([
    {
      name: "the only alias that is deployed, and not the newer version it was rolled back from",
      routes: deployed({ 1: held, 2: held }, { prod: "1" }, { warm: ["2"] }),
      version: "1",
    },
    {
      name: "the only alias that points at something",
      routes: deployed({ 1: held, 2: held }, { prod: "1", old: undefined }, { warm: ["2"] }),
      version: "1",
    },
    {
      name: "the only alias before a newer version that was deployed by number",
      routes: deployed({ 1: held, 3: held }, { prod: "1" }),
      version: "1",
    },
    {
      name: "the newest that one of several aliases wants",
      routes: deployed({ 1: held, 2: held, 3: held }, { prod: "1", next: "2" }, { warm: ["3"] }),
      version: "2",
    },
    {
      name: "the version that the first deployment still loads, to wait for it",
      routes: deployed({ 1: [] }, { default: undefined }, { next: { 1: "default" } }),
      version: "1",
    },
    {
      name: "the newest of routes that an earlier release saved, which tell no roles",
      routes: model({ 1: held, 2: held }),
      version: "2",
    },
  ])("means $name", ({ routes, version }) => {
    expect(resolveVersion(routes, "", 0).version).toBe(version);
  });

  it.each([
    { name: "its alias default was removed", routes: deployed({ 1: held }, { default: undefined }, { warm: ["1"] }) },
    {
      name: "its alias default was removed and a version is deployed by number",
      routes: deployed({ 1: held, 3: held }, { default: undefined, prod: "1" }),
    },
    {
      name: "its only alias was removed",
      routes: deployed({ 1: held, 2: held }, { prod: undefined }, { warm: ["1", "2"] }),
    },
  ])("finds nothing where $name", ({ routes }) => {
    expect(() => resolveVersion(routes, "", 0)).toThrowError(expect.objectContaining({ code: "NOT_FOUND" }));
    expect(resolveVersion(routes, "1", 0).version).toBe("1");
  });
});

describe("resolveVersion()", () => {
  const canary = model({ 1: held, 2: held, 10: held }, { default: { 1: 9000, 2: 1000 }, live: { 2: 10_000 } });
  it.each([
    { name: "digits", routes: canary, asked: "10", draw: 0, version: "10" },
    { name: "digits with leading zeros", routes: canary, asked: "0010", draw: 0, version: "10" },
    { name: "an alias", routes: canary, asked: "live", draw: 0.99, version: "2" },
    { name: "the default alias for nothing, its first share", routes: canary, asked: "", draw: 0.899, version: "1" },
    { name: "the default alias for nothing, its second share", routes: canary, asked: "", draw: 0.9, version: "2" },
    {
      name: "the newest version that is held, by number and not by text",
      routes: model({ 9: held, 10: held, 11: [] }),
      asked: "",
      draw: 0,
      version: "10",
    },
    { name: "the newest version when none is held", routes: model({ 1: [], 2: [] }), asked: "", draw: 0, version: "2" },
    {
      name: "the other target when a canary's replicas are gone",
      routes: model({ 1: held, 2: [] }, { default: { 1: 9000, 2: 1000 } }),
      asked: "",
      draw: 0.95,
      version: "1",
    },
    {
      name: "a lone target whose replicas are gone, so that callers wait for it",
      routes: model({ 1: [], 2: held }, { default: { 1: 10_000 } }),
      asked: "",
      draw: 0.5,
      version: "1",
    },
  ])("takes $name", ({ routes, asked, draw, version }) => {
    expect(resolveVersion(routes, asked, draw).version).toBe(version);
  });

  it.each(["3", "staging", "1x"])("refuses %j with what is served", (asked) => {
    expect(() => resolveVersion(canary, asked, 0)).toThrowError(
      expect.objectContaining({ code: "NOT_FOUND", remedy: "It serves 10, 2, 1." }),
    );
  });

  it("tells the alias that access is decided by", () => {
    expect(requestedAlias(canary, "")).toBe("default");
    expect(requestedAlias(model({ 1: held }), "")).toBeUndefined();
    expect(requestedAlias(canary, "7")).toBeUndefined();
    expect(requestedAlias(undefined, "live")).toBe("live");
    expect(requestedAlias(undefined, "")).toBeUndefined();
    expect(requestedAlias(deployed({ 1: held }, { prod: "1" }), "")).toBe("prod");
    expect(requestedAlias(deployed({ 1: held }, { default: undefined, prod: "1" }), "")).toBe("default");
  });
});
