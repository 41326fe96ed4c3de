import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import { generateSigningKey } from "./ed25519.ts";
import type { IdentityDocument, TrustDocument } from "./identity-document.ts";

/** The role of agents and replicas, which has a key for each machine. */
export const nodeRole = "inference";

/** Every role with one key for all its processes. */
export const meshRoles = ["auth", "registry", "trainer", "scheduler", "router", "console", "cli-supervisor"] as const;

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

/** Makes a machine's key: what it shows, and what everybody trusts then. Another key of that machine is trusted no more. Errors: INVALID_ARGUMENT. */
export function addNodeKey(trust: TrustDocument, node: string): { identity: IdentityDocument; trust: TrustDocument } {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(node)) {
    throw new AimassError("INVALID_ARGUMENT", `"${node.slice(0, 100)}" is no name of a node.`, {
      remedy: "Take letters, digits, dots and dashes.",
    });
  }
  const { keyId, privateJwk, publicJwk } = generateSigningKey();
  return {
    identity: { role: nodeRole, instance: "", keyId, privateJwk, node },
    trust: { keys: [...revokeNodeKeys(trust, node).keys, { keyId, role: nodeRole, publicJwk, node }] },
  };
}

/** The same keys with those of a machine revoked; without one, the key that earlier versions gave to all machines. */
export function revokeNodeKeys({ keys }: TrustDocument, node?: string): TrustDocument {
  return {
    keys: keys.map((key) => (key.role === nodeRole && key.node === node ? { ...key, revoked: true } : key)),
  };
}

/** Machines whose keys are trusted. */
export function nodesOf({ keys }: TrustDocument): ReadonlySet<string> {
  return new Set(keys.flatMap(({ node, revoked }) => (node === undefined || revoked ? [] : [node])));
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

/** Where a directory of keys has that of a machine. */
export function nodeIdentityFile(directory: string, node: string): string {
  return join(directory, `${nodeRole}-${node}.identity.json`);
}

/** Adds a machine's key to a directory of keys. Running processes that read its `trust.json` take it within seconds. Errors: as `addNodeKey`. */
export async function createNodeIdentity(directory: string, node: string): Promise<void> {
  const { identity, trust } = addNodeKey(await readTrust(directory), node);
  await writePrivate(nodeIdentityFile(directory, node), identity);
  await writePrivate(join(directory, "trust.json"), trust, 0o644);
}

/** Revokes a machine's key; see `revokeNodeKeys`. Errors: NOT_FOUND when there is none. */
export async function revokeNodeIdentity(directory: string, node?: string): Promise<void> {
  const trust = await readTrust(directory);
  if (node !== undefined && !nodesOf(trust).has(node)) {
    throw new AimassError("NOT_FOUND", `No key of a node ${node} is trusted.`, {
      remedy: `Those that are: ${[...nodesOf(trust)].join(", ") || "none"}.`,
    });
  }
  await writePrivate(join(directory, "trust.json"), revokeNodeKeys(trust, node), 0o644);
}

/** The public keys in a directory of keys. */
export async function readTrust(directory: string): Promise<TrustDocument> {
  return JSON.parse(await readFile(join(directory, "trust.json"), "utf8"));
}

async function writePrivate(file: string, content: object, mode = 0o600): Promise<void> {
  const fresh = `${file}.${process.pid}.new`;
  await writeFile(fresh, `${JSON.stringify(content, null, 2)}\n`, { mode });
  await rename(fresh, file);
}
