import { type PolicyEntry, PolicyEntrySchema } from "@aimass/api/auth";
import { policyEntryKey } from "@aimass/identity";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { encodeGrant } from "../access/grant-row.ts";
import type { AuthTransaction } from "../database.ts";

type Fact = NonNullable<MessageInitShape<typeof PolicyEntrySchema>["entry"]>;

/** Reads the facts of the policy: all of them, or those under some keys. Keys without a fact are left out. */
export async function readPolicyFacts(tx: AuthTransaction, keys?: readonly string[]): Promise<PolicyEntry[]> {
  const groups = [
    await readPrincipals(tx, idsOf(keys, policyEntryKey.principal(""))),
    await readApiKeys(tx, idsOf(keys, policyEntryKey.apiKey(""))),
    await readGrants(tx, idsOf(keys, policyEntryKey.grant(""))),
    await readSigningKeys(tx, idsOf(keys, policyEntryKey.signingKey(""))),
    await readEndedSessions(tx, idsOf(keys, policyEntryKey.endedSession(""))),
    await readProjects(tx, idsOf(keys, policyEntryKey.project(""))),
  ];
  return groups.flat();
}

function idsOf(keys: readonly string[] | undefined, prefix: string): string[] | undefined {
  return keys?.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
}

function entry(key: string, fact: Fact): PolicyEntry {
  return create(PolicyEntrySchema, { key, entry: fact });
}

async function readPrincipals(tx: AuthTransaction, ids: string[] | undefined): Promise<PolicyEntry[]> {
  if (ids?.length === 0) return [];
  const principals = tx
    .selectFrom("principal")
    .select(["id", "roles", "disabled", "tokens_not_before", "token_generation"]);
  const members = tx.selectFrom("group_member").selectAll().orderBy("group_name");
  const rows = await (ids === undefined ? principals : principals.where("id", "in", ids)).execute();
  const groups = new Map<string, string[]>();
  for (const row of await (ids === undefined ? members : members.where("member", "in", ids)).execute()) {
    groups.set(row.member, [...(groups.get(row.member) ?? []), row.group_name]);
  }
  return rows.map((row) =>
    entry(policyEntryKey.principal(row.id), {
      case: "principal",
      value: {
        id: row.id,
        groups: (groups.get(row.id) ?? []).sort(),
        roles: row.roles.toSorted(),
        disabled: row.disabled,
        tokenGeneration: BigInt(row.token_generation),
        ...(row.tokens_not_before === null ? {} : { tokensNotBefore: timestampFromDate(row.tokens_not_before) }),
      },
    }),
  );
}

async function readApiKeys(tx: AuthTransaction, ids: string[] | undefined): Promise<PolicyEntry[]> {
  if (ids?.length === 0) return [];
  const keys = tx
    .selectFrom("api_key")
    .select(["id", "secret_sha256", "principal", "expires_at"])
    .where("revoked_at", "is", null);
  const rows = await (ids === undefined ? keys : keys.where("id", "in", ids)).execute();
  return rows.map((row) =>
    entry(policyEntryKey.apiKey(row.id), {
      case: "apiKey",
      value: {
        id: row.id,
        secretSha256: new Uint8Array(row.secret_sha256),
        principal: row.principal,
        ...(row.expires_at === null ? {} : { expiresAt: timestampFromDate(row.expires_at) }),
      },
    }),
  );
}

async function readGrants(tx: AuthTransaction, ids: string[] | undefined): Promise<PolicyEntry[]> {
  if (ids?.length === 0) return [];
  const grants = tx.selectFrom("access_grant").selectAll();
  const rows = await (ids === undefined ? grants : grants.where("id", "in", ids)).execute();
  return rows.map((row) => entry(policyEntryKey.grant(row.id), { case: "grant", value: encodeGrant(row) }));
}

async function readSigningKeys(tx: AuthTransaction, ids: string[] | undefined): Promise<PolicyEntry[]> {
  if (ids?.length === 0) return [];
  const keys = tx.selectFrom("signing_key").select(["id", "public_key"]).where("sealed_private_key", "is not", null);
  const rows = await (ids === undefined ? keys : keys.where("id", "in", ids)).execute();
  return rows.map((row) =>
    entry(policyEntryKey.signingKey(row.id), {
      case: "signingKey",
      value: { keyId: row.id, publicKey: new Uint8Array(row.public_key) },
    }),
  );
}

async function readEndedSessions(tx: AuthTransaction, ids: string[] | undefined): Promise<PolicyEntry[]> {
  if (ids?.length === 0) return [];
  const sessions = tx.selectFrom("session").select("id").where("announced", "=", true);
  const rows = await (ids === undefined ? sessions : sessions.where("id", "in", ids)).execute();
  return rows.map(({ id }) => entry(policyEntryKey.endedSession(id), { case: "endedSession", value: { id } }));
}

async function readProjects(tx: AuthTransaction, names: string[] | undefined): Promise<PolicyEntry[]> {
  if (names?.length === 0) return [];
  const projects = tx.selectFrom("project_policy").selectAll();
  const rows = await (names === undefined ? projects : projects.where("project", "in", names)).execute();
  return rows.map((row) =>
    entry(policyEntryKey.project(row.project), {
      case: "project",
      value: { name: row.project, maxSnapshotAgeSeconds: BigInt(row.max_snapshot_age_seconds) },
    }),
  );
}
