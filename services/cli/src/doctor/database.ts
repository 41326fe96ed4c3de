import { join } from "node:path";
import { AimassError } from "@aimass/core";
import { findPlatformPackage, hasDatabase } from "@aimass/embedded";
import { openSession } from "@aimass/store";
import { type DatabaseUrls, databaseServices, readDatabaseUrls } from "../up/service-databases.ts";
import { type Finding, ok, problem } from "./finding.ts";

/** Where a mesh would find its database. */
export interface DatabasePlace {
  /** The data directory. */
  readonly directory: string;
  /** AIMASS_DATABASE_URL. */
  readonly url: string | undefined;
  /** AIMASS_DATABASE_URLS, a folder. */
  readonly urls: string | undefined;
}

const check = "database";
const supported = { oldest: 15, newest: 18 };

/** Whether the database is there and can be used: the embedded one by its files, one of somebody's own by asking it. Changes nothing. */
export async function checkDatabase({ directory, url, urls }: DatabasePlace): Promise<Finding> {
  try {
    if (urls !== undefined) return await askAll(readDatabaseUrls(urls));
    if (url !== undefined) return await askAll(new Map([[databaseServices.join(", "), url]]));
    findPlatformPackage();
    const isThere = await hasDatabase(join(directory, "postgres"));
    return ok(check, isThere ? "The embedded PostgreSQL has its data." : "The embedded PostgreSQL will be made.");
  } catch (error) {
    const { message, remedy } = AimassError.from(error);
    return problem(check, message, remedy ?? "Look at logs/postgres.log in the data directory.");
  }
}

async function askAll(urls: DatabaseUrls): Promise<Finding> {
  for (const [service, url] of urls) {
    const finding = await ask(service, url);
    if (finding !== undefined) return finding;
  }
  return ok(check, "The PostgreSQL of your own answers, and is one that works.");
}

/** What is wrong with a server; undefined when nothing is. */
async function ask(service: string, url: string): Promise<Finding | undefined> {
  const { host, pathname } = new URL(url);
  const where = `${host}${pathname} (${service})`;
  try {
    const session = await openSession(url, "public");
    try {
      const { rows } = await session.query(
        "select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major, " +
          "current_setting('transaction_read_only') = 'on' as standby",
      );
      const { version, major, standby } = rows[0] as { version: string; major: number; standby: boolean };
      if (major < supported.oldest || major > supported.newest) {
        const remedy = `Use PostgreSQL ${supported.oldest} to ${supported.newest}.`;
        return problem(check, `${where} is PostgreSQL ${version}.`, remedy);
      }
      if (standby) return problem(check, `${where} cannot be written.`, "Name the primary, not a standby.");
      return undefined;
    } finally {
      await session.end().catch(() => {});
    }
  } catch (error) {
    const { message } = error as Error;
    return problem(
      check,
      `${where} does not answer as it should: ${message}`,
      "Start it, or correct AIMASS_DATABASE_URL or AIMASS_DATABASE_URLS.",
    );
  }
}
