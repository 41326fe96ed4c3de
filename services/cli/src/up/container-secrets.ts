import { randomBytes } from "node:crypto";
import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolder } from "@aimass/core";
import { makeNatsPasswords, natsRoles, natsServerConfig, natsUrl } from "@aimass/events";
import {
  addNodeKey,
  generateMeshIdentity,
  meshRoles,
  nodesOf,
  revokeNodeKeys,
  type TrustDocument,
} from "@aimass/identity";
import { databaseUrlFile, makeDatabaseUrls } from "./service-databases.ts";

export interface SecretOptions {
  /** The database's host name in the URLs. */
  readonly databaseHost: string;
  /** The NATS server's. */
  readonly natsHost: string;
  /** Inference containers: each gets a key of its own in `<node>/`; a node that is named no more has its key revoked. */
  readonly nodes: readonly string[];
  /** The user the containers run as; undefined: whoever writes. */
  readonly owner: number | undefined;
}

/**
 * Writes what each container needs to know into a folder of its own, so that no container sees another's secrets:
 * `<role>/identity.json`, `<role>/trust.json`, `<role>/database-url` (services with a database), `auth/auth-secret`; `database/password` of its superuser, `database/admin-url`, and
 * `database/urls` from which `admin database-roles` makes the roles; for the events `nats/nats.conf` and `<role>/nats-url`.
 * Leaves alone what is there already: keys and passwords must stay with the data they protect.
 */
export function writeContainerSecrets(folder: string, options: SecretOptions): "written" | "kept" {
  // The first file of each kind that others depend on is written last: its presence says that all of its kind is there.
  const kinds = [
    { last: join("database", "password"), write: writeKeys },
    { last: join("database", "admin-url"), write: writeDatabaseAccess },
    { last: join("nats", "nats.conf"), write: writeNatsAccess },
  ];
  const missing = kinds.filter(({ last }) => !existsSync(join(folder, last)));
  const write = writerOf(folder, options.owner);
  for (const kind of missing) kind.write(write, options, folder);
  const changed = writeNodeKeys(write, options.nodes, folder);
  return missing.length === 0 && !changed ? "kept" : "written";
}

/** Writes a file of a role for the user the containers run as, or for root. */
type SecretWriter = (role: string, name: string, text: string, reader?: "root") => void;

function writerOf(folder: string, owner: number | undefined): SecretWriter {
  return (role, name, text, reader) => {
    const file = join(folder, role, name);
    const directory = dirname(file);
    makeFolder(directory, 0o700);
    writeFileSync(file, text, { mode: 0o600 });
    if (owner === undefined || reader === "root") return;
    chownSync(directory, owner, owner);
    chownSync(file, owner, owner);
  };
}

/** False when the nodes that have keys are those that are named. */
function writeNodeKeys(write: SecretWriter, nodes: readonly string[], folder: string): boolean {
  let trust: TrustDocument = JSON.parse(readFileSync(join(folder, "auth", "trust.json"), "utf8"));
  const before = nodesOf(trust);
  const added = nodes.filter((node) => !before.has(node) || !existsSync(join(folder, node, "identity.json")));
  const removed = [...before].filter((node) => !nodes.includes(node));
  if (added.length === 0 && removed.length === 0) return false;
  // The key that earlier versions gave to all nodes.
  trust = revokeNodeKeys(trust);
  for (const node of removed) trust = revokeNodeKeys(trust, node);
  for (const node of added) {
    const made = addNodeKey(trust, node);
    trust = made.trust;
    write(node, "identity.json", JSON.stringify(made.identity));
  }
  // Last comes auth's, by which the next run tells what is done.
  for (const reader of [...nodes, ...meshRoles.filter((role) => role !== "auth"), "auth"])
    write(reader, "trust.json", JSON.stringify(trust));
  return true;
}

function writeKeys(write: SecretWriter): void {
  const { identities, trust } = generateMeshIdentity(meshRoles);
  for (const [role, identity] of identities) {
    write(role, "identity.json", JSON.stringify(identity));
    write(role, "trust.json", JSON.stringify(trust));
  }
  write("auth", "auth-secret", randomBytes(32).toString("hex"));
  write("database", "password", randomBytes(24).toString("base64url"), "root");
}

/** Earlier versions gave every service the superuser's URL: these take its place. */
function writeDatabaseAccess(write: SecretWriter, options: SecretOptions, folder: string): void {
  const password = readFileSync(join(folder, "database", "password"), "utf8").trim();
  const adminUrl = `postgres://aimass:${password}@${options.databaseHost}:5432/aimass`;
  for (const [service, url] of makeDatabaseUrls(adminUrl)) {
    write(service, "database-url", url);
    write("database", databaseUrlFile("urls", service), url, "root");
  }
  write("database", "admin-url", adminUrl, "root");
}

function writeNatsAccess(write: SecretWriter, options: SecretOptions): void {
  const passwords = makeNatsPasswords();
  for (const role of natsRoles) write(role, "nats-url", natsUrl(role, passwords, options.natsHost));
  write("nats", "nats.conf", natsServerConfig(passwords, "/data"), "root");
}
