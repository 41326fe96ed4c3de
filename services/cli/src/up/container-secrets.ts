import { randomBytes } from "node:crypto";
import { chownSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "@aimass/core";
import { makeNatsPasswords, natsRoles, natsServerConfig, natsUrl } from "@aimass/events";
import { generateMeshIdentity, meshRoles } from "@aimass/identity";

/** Services with a database. */
const withDatabase: readonly string[] = ["auth", "registry", "trainer", "scheduler"];

export interface SecretOptions {
  /** The database's host name in the URLs. */
  readonly databaseHost: string;
  /** The NATS server's. */
  readonly natsHost: string;
  /** The user the containers run as; undefined: whoever writes. */
  readonly owner: number | undefined;
}

/**
 * Writes what each container needs to know into a folder of its own, so that no container sees another's secrets:
 * `<role>/identity.json`, `<role>/trust.json`, `<role>/database-url` (services with a database), `auth/auth-secret`, `database/password`; for the events `nats/nats.conf` and `<role>/nats-url`.
 * Leaves alone what is there already: keys and passwords must stay with the data they protect.
 */
export function writeContainerSecrets(folder: string, options: SecretOptions): "written" | "kept" {
  // The first file of each kind that others depend on is written last: its presence says that all of its kind is there.
  const kinds = [
    { last: join("database", "password"), write: writeKeys },
    { last: join("nats", "nats.conf"), write: writeNatsAccess },
  ];
  const missing = kinds.filter(({ last }) => !existsSync(join(folder, last)));
  for (const { write } of missing) write(writerOf(folder, options.owner), options);
  return missing.length === 0 ? "kept" : "written";
}

/** Writes a file of a role for the user the containers run as, or for root. */
type SecretWriter = (role: string, name: string, text: string, reader?: "root") => void;

function writerOf(folder: string, owner: number | undefined): SecretWriter {
  return (role, name, text, reader) => {
    const directory = join(folder, role);
    const file = join(directory, name);
    makeFolder(directory, 0o700);
    writeFileSync(file, text, { mode: 0o600 });
    if (owner === undefined || reader === "root") return;
    chownSync(directory, owner, owner);
    chownSync(file, owner, owner);
  };
}

function writeKeys(write: SecretWriter, options: SecretOptions): void {
  const { identities, trust } = generateMeshIdentity(meshRoles);
  const password = randomBytes(24).toString("base64url");
  for (const [role, identity] of identities) {
    write(role, "identity.json", JSON.stringify(identity));
    write(role, "trust.json", JSON.stringify(trust));
    if (withDatabase.includes(role))
      write(role, "database-url", `postgres://aimass:${password}@${options.databaseHost}:5432/aimass`);
  }
  write("auth", "auth-secret", randomBytes(32).toString("hex"));
  write("database", "password", password, "root");
}

function writeNatsAccess(write: SecretWriter, options: SecretOptions): void {
  const passwords = makeNatsPasswords();
  for (const role of natsRoles) write(role, "nats-url", natsUrl(role, passwords, options.natsHost));
  write("nats", "nats.conf", natsServerConfig(passwords, "/data"), "root");
}
