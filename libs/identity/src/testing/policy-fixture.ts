import { Effect, type Grant, GrantSchema, Level, type PolicyEntry, PolicyEntrySchema } from "@aimass/api/auth";
import { type Clock, systemClock } from "@aimass/core";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { KeyedState } from "../keyed-state.ts";
import { generateMeshIdentity } from "../mesh-identity.ts";
import { policyEntryKey } from "../policy-entry.ts";
import { PolicyStore } from "../policy-store.ts";
import { policyEntryBytes, signPolicyUpdate } from "../policy-update.ts";
import { ServiceIdentity } from "../service-identity.ts";

/** A clock that stands still until it is set. */
export function stillClock(startMs: number): Clock & { at: number } {
  return { ...systemClock, at: startMs, now: stillNow };
}

function stillNow(this: { at: number }): number {
  return this.at;
}

/** Two services that trust each other: auth, which signs, and a router, which enforces. */
export function twoServices(clock: Clock): { auth: ServiceIdentity; router: ServiceIdentity } {
  const { identities, trust } = generateMeshIdentity(["auth", "router"]);
  const identity = (role: string) => {
    const document = identities.get(role);
    if (document === undefined) throw new Error(`no identity for ${role}`);
    return new ServiceIdentity(document, trust, clock);
  };
  return { auth: identity("auth"), router: identity("router") };
}

/** A full signed update that holds these entries. */
export function fullUpdate(
  auth: ServiceIdentity,
  entries: PolicyEntry[],
  head: { version: bigint; issuedAtMs: number; epoch?: string; maxAgeSeconds?: bigint },
) {
  const digest = new KeyedState(entries.map((entry) => [entry.key, policyEntryBytes(entry)] as const)).digest();
  return signPolicyUpdate(
    auth,
    { epoch: "first", maxAgeSeconds: 86_400n, digest, ...head },
    { full: true, entries, removedKeys: [] },
  );
}

/** An enforcer that holds these entries. */
export function enforcerWith(entries: PolicyEntry[], clock: Clock) {
  const { auth, router } = twoServices(clock);
  const store = new PolicyStore({ identity: router, clock });
  store.apply(fullUpdate(auth, entries, { version: 1n, issuedAtMs: clock.now() }));
  return { auth, router, store, policy: store.policy };
}

/** An allow to infer on "default", unless told otherwise. */
export function grantEntry(grant: MessageInitShape<typeof GrantSchema> & { id: string }): PolicyEntry {
  const value: Grant = create(GrantSchema, {
    subject: "user:ada",
    resource: "default",
    level: Level.INFER,
    effect: Effect.ALLOW,
    ...grant,
  });
  return create(PolicyEntrySchema, { key: policyEntryKey.grant(value.id), entry: { case: "grant", value } });
}

export function principalEntry(
  id: string,
  facts: { groups?: string[]; roles?: string[]; disabled?: boolean } = {},
): PolicyEntry {
  const value = { id, groups: facts.groups ?? [], roles: facts.roles ?? [], disabled: facts.disabled ?? false };
  return create(PolicyEntrySchema, { key: policyEntryKey.principal(id), entry: { case: "principal", value } });
}
