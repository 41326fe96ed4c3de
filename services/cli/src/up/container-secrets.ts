import { randomBytes } from "node:crypto";
import { chownSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "@aimass/core";
import { generateMeshIdentity, meshRoles } from "@aimass/identity";

/** Services with a database. */
const withDatabase: readonly string[] = ["auth", "registry", "trainer", "scheduler"];

/**
 * Writes what each container needs to know into a folder of its own, so that no container sees another's secrets:
 * `<role>/identity.json`, `<role>/trust.json`, `<role>/database-url` (services with a database), `auth/auth-secret`, `database/password`.
 * Does nothing when they are there already: keys and password must stay with the data they protect.
 */
export function writeContainerSecrets(
  folder: string,
  options: { databaseHost: string; owner: number | undefined },
): "written" | "kept" {
  if (existsSync(join(folder, "database", "password"))) return "kept";
  const { identities, trust } = generateMeshIdentity(meshRoles);
  const password = randomBytes(24).toString("base64url");
  const write = (role: string, name: string, text: string, owner = options.owner) => {
    const directory = join(folder, role);
    const file = join(directory, name);
    makeFolder(directory, 0o700);
    writeFileSync(file, text, { mode: 0o600 });
    if (owner === undefined) return;
    chownSync(directory, owner, owner);
    chownSync(file, owner, owner);
  };
  for (const [role, identity] of identities) {
    write(role, "identity.json", JSON.stringify(identity));
    write(role, "trust.json", JSON.stringify(trust));
    if (withDatabase.includes(role))
      write(role, "database-url", `postgres://aimass:${password}@${options.databaseHost}:5432/aimass`);
  }
  write("auth", "auth-secret", randomBytes(32).toString("hex"));
  // Last: its presence says that all of it is there. PostgreSQL's image reads it as root.
  write("database", "password", password, undefined);
  return "written";
}
