import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateSigningKey } from "./ed25519.ts";
import type { IdentityDocument, TrustDocument } from "./service-identity.ts";

/** Every role a process of the mesh may have. */
export const meshRoles = [
  "auth",
  "registry",
  "trainer",
  "scheduler",
  "inference",
  "router",
  "console",
  "cli-supervisor",
] as const;

/** Makes one key a role: what every process shows, and what every process trusts. Nothing is written. */
export function generateMeshIdentity(roles: readonly string[]): {
  identities: ReadonlyMap<string, IdentityDocument>;
  trust: TrustDocument;
} {
  const keys = roles.map((role) => ({ role, ...generateSigningKey() }));
  return {
    identities: new Map(keys.map(({ role, keyId, privateJwk }) => [role, { role, instance: "", keyId, privateJwk }])),
    trust: { keys: keys.map(({ keyId, role, publicJwk }) => ({ keyId, role, publicJwk })) },
  };
}

/**
 * Writes a fresh set of keys into a directory: `<role>.identity.json` (mode 0600) for each role and `trust.json`. Replaces what was there, so running
 * processes must be restarted together.
 */
export async function createMeshIdentity(directory: string, roles: readonly string[]): Promise<void> {
  const { identities, trust } = generateMeshIdentity(roles);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const [role, identity] of identities) await writePrivate(join(directory, `${role}.identity.json`), identity);
  await writePrivate(join(directory, "trust.json"), trust, 0o644);
}

async function writePrivate(file: string, content: object, mode = 0o600): Promise<void> {
  const fresh = `${file}.${process.pid}.new`;
  await writeFile(fresh, `${JSON.stringify(content, null, 2)}\n`, { mode });
  await rename(fresh, file);
}
