import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AimassError, makeFolder } from "@aimass/core";
import { shareEvents } from "@aimass/events";
import { assignSchemas, ownerRole } from "@aimass/store";
import { dataPath } from "./data-directory.ts";

/** Services with a schema in the database, which has the service's name. */
export const databaseServices: readonly string[] = ["auth", "registry", "trainer", "scheduler"];

/** AIMASS_DATABASE_URL of each service. */
export type DatabaseUrls = ReadonlyMap<string, string>;

/** URLs for the same database as an administrator's, each with a role of its own and a fresh password. */
export function makeDatabaseUrls(adminUrl: string): DatabaseUrls {
  return new Map(
    databaseServices.map((service) => {
      const url = new URL(adminUrl);
      url.username = ownerRole(adminUrl, service);
      url.password = randomBytes(24).toString("base64url");
      return [service, url.href];
    }),
  );
}

/** Makes the database as the URLs say: a role for each service that owns its schema, and all that was there before handed over to them. May be repeated. */
export async function prepareDatabase(adminUrl: string, urls: DatabaseUrls): Promise<void> {
  const owners = [...urls].map(([schema, text]) => {
    const url = new URL(text);
    return { schema, role: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  });
  await assignSchemas(adminUrl, owners);
  await shareEvents(adminUrl);
}

/** The URLs of a PostgreSQL of somebody's own, by the environment: one for each service, or one for all; undefined where it names none. */
export function ownDatabaseUrls(variable: (name: string) => string | undefined): DatabaseUrls | undefined {
  const folder = variable("AIMASS_DATABASE_URLS");
  if (folder !== undefined) return readDatabaseUrls(dataPath(folder));
  const url = variable("AIMASS_DATABASE_URL");
  return url === undefined ? undefined : new Map(databaseServices.map((service) => [service, url]));
}

/** Where a folder keeps the URL of a service. */
export function databaseUrlFile(folder: string, service: string): string {
  return join(folder, `${service}.url`);
}

/** The URLs that a folder keeps. Errors: FAILED_PRECONDITION when one is missing. */
export function readDatabaseUrls(folder: string): DatabaseUrls {
  return new Map(databaseServices.map((service) => [service, readUrl(databaseUrlFile(folder, service))]));
}

/** The same; what is missing is made and kept there. */
export function keepDatabaseUrls(folder: string, adminUrl: string): DatabaseUrls {
  makeFolder(folder, 0o700);
  for (const [service, url] of makeDatabaseUrls(adminUrl)) {
    const file = databaseUrlFile(folder, service);
    if (!existsSync(file)) writeFileSync(file, `${url}\n`, { mode: 0o600 });
  }
  return readDatabaseUrls(folder);
}

function readUrl(file: string): string {
  const text = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (URL.canParse(text)) return text;
  throw new AimassError("FAILED_PRECONDITION", `${file} holds no database URL.`, {
    remedy: "Make it with: aimass admin database-roles FOLDER",
  });
}
