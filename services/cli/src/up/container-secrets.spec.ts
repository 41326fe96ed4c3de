import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "@aimass/core";
import { type TempDirectory, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeContainerSecrets } from "./container-secrets.ts";
import { databaseServices, readDatabaseUrls } from "./service-databases.ts";

const options = { databaseHost: "postgres", natsHost: "nats", owner: undefined };

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

  it("of an older version lose the superuser's URL, and keep its password and the keys", () => {
    for (const [role, name, content] of [
      ["database", "password", "old"],
      ["auth", "identity.json", "{}"],
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
