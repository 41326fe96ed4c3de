import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createTestDatabase, tempDirectory } from "@aimass/testkit";
import { describe, expect, it } from "vitest";
import { keepDatabaseUrls, prepareDatabase } from "../up/service-databases.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

describe("a lost administrator's password", () => {
  it("is replaced in the database of the auth service, where a folder keeps a URL for each service", async () => {
    await using database = await createTestDatabase();
    await using folder = await tempDirectory();
    await prepareDatabase(database.url, keepDatabaseUrls(folder.path, database.url));
    const { AIMASS_DATABASE_URL: _, ...env } = process.env;
    const { status, stdout } = spawnSync(process.execPath, [main, "admin", "reset", "--data", folder.path], {
      env: { ...env, AIMASS_DATABASE_URLS: folder.path },
      encoding: "utf8",
    });
    expect(status).toBe(0);
    expect(stdout).toContain("The new password of admin is ");
  }, 60_000);
});
