import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AimassError, systemClock } from "@aimass/core";
import { startEmbeddedPostgres } from "@aimass/embedded";
import { createNodeIdentity, nodeIdentityFile, revokeNodeIdentity } from "@aimass/identity";
import type { Command } from "commander";
import { writeContainerSecrets } from "../up/container-secrets.ts";
import { assertInstallation, assertKeys, dataPath, openDataDirectory, supervisorOf } from "../up/data-directory.ts";
import {
  databaseUrlFile,
  keepDatabaseUrls,
  makeDatabaseUrls,
  ownDatabaseUrls,
  prepareDatabase,
} from "../up/service-databases.ts";
import { action } from "./context.ts";
import { defaultData } from "./up.ts";

export function addAdmin(program: Command): void {
  const admin = program.command("admin").description("for the one who runs the mesh");
  addContainerSecrets(admin);
  addDatabaseRoles(admin);
  addNodeKeys(admin);
  admin
    .command("reset")
    .description(
      "give the administrator a new random password; works on the stopped embedded mesh, or on the database in AIMASS_DATABASE_URLS or AIMASS_DATABASE_URL",
    )
    .option("--data <dir>", "the data directory of the embedded mesh", defaultData())
    .option("--revoke-keys", "revoke the administrator's API keys too")
    .action(
      action<{ data: string; revokeKeys?: boolean }>(async ({ output }, options) => {
        const { password, file } = await resetAdmin(options.data, options.revokeKeys ?? false);
        output.result({ username: "admin", password, ...(file && { file }) }, () => [
          `The new password of admin is ${password}`,
          ...(file === undefined ? [] : [`It is also in ${file}`]),
          options.revokeKeys
            ? "All sessions of admin have ended, all its API keys are revoked."
            : "All sessions of admin have ended. Its API keys go on; --revoke-keys ends them too.",
        ]);
        output.hint("Next: aimass login");
      }),
    );
}

function addContainerSecrets(admin: Command): void {
  admin
    .command("container-secrets")
    .description("write keys and passwords for containers, a folder each; keeps those that are there")
    .argument("<folder>")
    .option("--database-host <name>", "the database's host name in the URLs", "postgres")
    .option("--nats-host <name>", "the NATS server's", "nats")
    .option(
      "--nodes <names>",
      "inference containers, separated by commas: each gets a key of its own, others lose theirs",
      "inference-1,inference-2",
    )
    .option("--owner <uid>", "the user the containers run as")
    .action(
      action<{ databaseHost: string; natsHost: string; nodes: string; owner?: string }>(
        async ({ output }, options, [folder]) => {
          const owner = options.owner === undefined ? undefined : readUid(options.owner);
          const { databaseHost, natsHost } = options;
          const result = writeContainerSecrets(folder as string, {
            databaseHost,
            natsHost,
            nodes: options.nodes.split(","),
            owner,
          });
          output.result({ folder, result }, () => `The secrets in ${folder} were ${result}.`);
        },
      ),
    );
}

function addNodeKeys(admin: Command): void {
  const data: [string, string, string] = ["--data <dir>", "the data directory of the mesh", defaultData()];
  admin
    .command("add-node")
    .description("make a key for one more machine that runs models, or a new one that takes the place of its key")
    .argument("<name>", "its AIMASS_NODE")
    .option(...data)
    .action(
      action<{ data: string }>(async ({ output }, options, [name]) => {
        assertKeys(options.data);
        const keys = join(dataPath(options.data), "keys");
        await createNodeIdentity(keys, name as string);
        const files = [nodeIdentityFile(keys, name as string), join(keys, "trust.json")];
        output.result({ node: name, files }, () => [
          `The node ${name} has a key. Copy to that machine: ${files.join(", ")}`,
          "Services that read this trust.json take the key within seconds; copies elsewhere have to be replaced.",
        ]);
      }),
    );
  admin
    .command("remove-node")
    .description("revoke the key of a machine: it reads nothing more and its replicas get no requests")
    .argument("<name>")
    .option(...data)
    .action(
      action<{ data: string }>(async ({ output }, options, [name]) => {
        assertKeys(options.data);
        await revokeNodeIdentity(join(dataPath(options.data), "keys"), name as string);
        output.result({ node: name }, () => [
          `The key of the node ${name} is revoked where this trust.json is read, within seconds.`,
        ]);
      }),
    );
}

function addDatabaseRoles(admin: Command): void {
  admin
    .command("database-roles")
    .description(
      "give each service a role of its own in an own PostgreSQL, which owns the service's schema alone; hands over what is there; may be repeated",
    )
    .argument("<folder>", "keeps a URL for each service; those that are missing are made")
    .option("--admin-url-file <file>", "a superuser's URL of the database; else AIMASS_DATABASE_URL")
    .action(
      action<{ adminUrlFile?: string }>(async ({ output }, options, [folder]) => {
        const adminUrl = readAdminUrl(options.adminUrlFile);
        const urls = keepDatabaseUrls(folder as string, adminUrl);
        await prepareDatabase(adminUrl, urls);
        const files = [...urls.keys()].map((service) => databaseUrlFile(folder as string, service));
        output.result({ folder, files }, () => [
          `Each service has a role of its own. Their URLs: ${files.join(", ")}`,
          `Start with AIMASS_DATABASE_URLS=${folder}, or give each service its own as AIMASS_DATABASE_URL_FILE.`,
        ]);
      }),
    );
}

function readAdminUrl(file: string | undefined): string {
  const url = file === undefined ? process.env.AIMASS_DATABASE_URL : readFileSync(file, "utf8").trim();
  if (url !== undefined && URL.canParse(url)) return url;
  throw new AimassError("INVALID_ARGUMENT", "No URL of the database says who may make roles.", {
    remedy: "Set AIMASS_DATABASE_URL to a superuser's, or name a file that holds it with --admin-url-file.",
  });
}

async function resetAdmin(data: string, revokeKeys: boolean): Promise<{ password: string; file?: string }> {
  const own = ownDatabaseUrls((name) => process.env[name] || undefined)?.get("auth");
  if (own !== undefined) return { password: await runReset(own, process.env.AIMASS_STATE_DIR, revokeKeys) };
  await assertInstallation(data);
  const running = await supervisorOf(dataPath(data));
  if (running !== undefined) {
    throw new AimassError("FAILED_PRECONDITION", `The mesh on ${dataPath(data)} is running (process ${running}).`, {
      remedy: "Stop it with Ctrl-C first; whoever can do that may reset the password.",
    });
  }
  await using directory = await openDataDirectory(data);
  const postgres = await startEmbeddedPostgres({
    directory: directory.folder("postgres"),
    clock: systemClock,
    signal: AbortSignal.timeout(60_000),
  });
  try {
    const urls = makeDatabaseUrls(postgres.url);
    await prepareDatabase(postgres.url, urls);
    const password = await runReset(urls.get("auth") as string, directory.folder("auth"), revokeKeys);
    return { password, file: directory.adminPasswordFile };
  } finally {
    await postgres.stop();
  }
}

function readUid(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new AimassError("INVALID_ARGUMENT", `--owner is "${text}".`, {
    remedy: "Give the number of a user: --owner 1000.",
  });
}

/** The auth service resets its own database: the command line only starts it and reads the password from its output. */
function runReset(databaseUrl: string, stateDirectory: string | undefined, revokeKeys: boolean): Promise<string> {
  const main = join(dirname(fileURLToPath(import.meta.url)), "../../../auth/src/admin-reset-main.ts");
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, revokeKeys ? [main, "--revoke-keys"] : [main], {
      env: {
        ...process.env,
        AIMASS_DATABASE_URL: databaseUrl,
        ...(stateDirectory && { AIMASS_STATE_DIR: stateDirectory }),
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
    });
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0
        ? resolve(text.trim())
        : reject(new AimassError("INTERNAL", "The password could not be reset; the reason is above.")),
    );
  });
}
