import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, systemClock } from "@aimass/core";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { type TempDirectory, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeContainerSecrets } from "./container-secrets.ts";
import { databaseServices, readDatabaseUrls } from "./service-databases.ts";

const options = { databaseHost: "postgres", natsHost: "nats", nodes: ["inference-1", "inference-2"], owner: undefined };

let folder: TempDirectory;

beforeEach(async () => {
  folder = await tempDirectory();
});
afterEach(() => folder[Symbol.asyncDispose]());

const text = (...path: string[]) => readFileSync(join(folder.path, ...path), "utf8").trim();

describe("the secrets of containers", () => {
  it("give each service a database role of its own, and none the superuser's password", () => {
    writeContainerSecrets(folder.path, options);
    const urls = readDatabaseUrls(join(folder.path, "database", "urls"));
    for (const service of databaseServices) {
      expect(text(service, "database-url")).toBe(urls.get(service));
      expect(new URL(text(service, "database-url")).username).toBe(`aimass_${service}`);
      expect(text(service, "database-url")).not.toContain(text("database", "password"));
    }
    expect(new Set([...urls.values()].map((url) => new URL(url).password)).size).toBe(databaseServices.length);
  });

  it("are kept when they are there", () => {
    expect(writeContainerSecrets(folder.path, options)).toBe("written");
    const before = text("auth", "database-url");
    expect(writeContainerSecrets(folder.path, options)).toBe("kept");
    expect(text("auth", "database-url")).toBe(before);
  });

  it("give each node a key of its own, and revoke that of one that is named no more", async () => {
    const load = (reader: string) =>
      ServiceIdentity.load(
        join(folder.path, reader, "identity.json"),
        join(folder.path, reader, "trust.json"),
        systemClock,
      );
    writeContainerSecrets(folder.path, options);
    const [first, second] = [await load("inference-1"), await load("inference-2")];
    const before = await load("scheduler");
    expect([before.verify(first.token()).node, before.verify(second.token()).node]).toEqual(options.nodes);
    expect(writeContainerSecrets(folder.path, { ...options, nodes: ["inference-1", "inference-3"] })).toBe("written");
    const after = await load("scheduler");
    expect(after.verify(first.token()).node).toBe("inference-1");
    expect(after.verify((await load("inference-3")).token()).node).toBe("inference-3");
    expect(() => after.verify(second.token())).toThrow("The key of the node inference-2 was revoked.");
  });

  it("of an older version lose the superuser's URL, and keep its password and the keys", () => {
    for (const [role, name, content] of [
      ["database", "password", "old"],
      ["auth", "identity.json", "{}"],
      ["auth", "trust.json", JSON.stringify(generateMeshIdentity(["auth", "inference"]).trust)],
      ["auth", "database-url", "postgres://aimass:old@postgres:5432/aimass"],
    ] as const) {
      makeFolder(join(folder.path, role));
      writeFileSync(join(folder.path, role, name), content);
    }
    expect(writeContainerSecrets(folder.path, options)).toBe("written");
    expect(text("auth", "database-url")).not.toContain("old");
    expect(text("database", "admin-url")).toBe("postgres://aimass:old@postgres:5432/aimass");
    expect([text("database", "password"), text("auth", "identity.json")]).toEqual(["old", "{}"]);
  });
});
