import { statSync } from "node:fs";
import { createTestDatabase, tempDirectory } from "@aimass/testkit";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { databaseUrlFile, keepDatabaseUrls, prepareDatabase, readDatabaseUrls } from "./service-databases.ts";

async function userAt(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query("select current_user as name");
  await client.end();
  return rows[0].name;
}

describe("the databases of services", () => {
  it("are made in an own PostgreSQL by the URLs of a folder, and again by the same", async () => {
    await using database = await createTestDatabase();
    await using folder = await tempDirectory();
    const urls = keepDatabaseUrls(folder.path, database.url);
    await prepareDatabase(database.url, urls);
    await prepareDatabase(database.url, keepDatabaseUrls(folder.path, database.url));
    expect(readDatabaseUrls(folder.path)).toEqual(urls);
    for (const [service, url] of urls) {
      expect(statSync(databaseUrlFile(folder.path, service)).mode & 0o777).toBe(0o600);
      expect(await userAt(url)).toBe(`${new URL(database.url).pathname.slice(1)}_${service}`);
    }
  });

  it("are asked for by name when a folder lacks one", async () => {
    await using folder = await tempDirectory();
    expect(() => readDatabaseUrls(folder.path)).toThrow(/auth\.url holds no database URL/);
  });
});
