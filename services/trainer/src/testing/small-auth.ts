import { Effect, GrantSchema, Level, type PolicyEntry, PolicyEntrySchema, PolicyService } from "@aimass/api/auth";
import { systemClock } from "@aimass/core";
import { KeyedState, policyEntryBytes, type ServiceIdentity, signPolicyUpdate } from "@aimass/identity";
import { type RpcServer, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";

export interface SmallAuth extends RpcServer {
  /** Changes what somebody may do in a project, "default" unless given; trainers hear of it within a second. */
  grant(subject: string, level: Level, verbs?: readonly string[], project?: string): void;
  /** Denies a subject everything on a model, or takes that back. */
  deny(subject: string, resource: string, isDenied?: boolean): void;
}

/**
 * An auth service with a small policy: in the project "default" user:eve may view, user:ada may edit, user:dan may deploy, user:mia may manage. For tests of the
 * trainer alone.
 */
export async function startSmallAuth(identity: ServiceIdentity): Promise<SmallAuth> {
  const grants = new Map<string, PolicyEntry>();
  const people = ["user:eve", "user:ada", "user:dan", "user:mia"];
  let version = 0n;
  const grant = (subject: string, level: Level, verbs: readonly string[] = [], project = "default") => {
    const entry = grantEntry(`${subject}-${project}`, level, verbs, { subject, resource: project });
    grants.set(entry.key, entry);
    version += 1n;
  };
  const deny = (subject: string, resource: string, isDenied = true) => {
    const entry = grantEntry(`${subject}-denied`, Level.MANAGE, [], { subject, resource, effect: Effect.DENY });
    if (isDenied) grants.set(entry.key, entry);
    else grants.delete(entry.key);
    version += 1n;
  };
  [Level.VIEW, Level.EDIT, Level.DEPLOY, Level.MANAGE].forEach((level, i) => void grant(people[i] ?? "", level));
  const update = () => {
    const entries = [...people.map(person), ...grants.values()];
    const digest = new KeyedState(entries.map((entry) => [entry.key, policyEntryBytes(entry)] as const)).digest();
    const head = { epoch: "e", version, digest, issuedAtMs: Date.now(), maxAgeSeconds: 3600n };
    return signPolicyUpdate(identity, head, { full: true, entries, removedKeys: [] });
  };
  const server = await serveRpc({
    name: "auth",
    listen: { host: "127.0.0.1", port: 0 },
    identity,
    telemetry: silentTelemetry(),
    clock: systemClock,
    services: [PolicyService],
    routes: (router) =>
      router.service(PolicyService, {
        async *watchPolicy(_, { signal }) {
          while (!signal.aborted) {
            yield { update: update() };
            await systemClock.sleep(500, signal).catch(() => {});
          }
        },
        acknowledgePolicy: () => ({}),
      }),
  });
  return { address: server.address, drain: (graceMs) => server.drain(graceMs), grant, deny };
}

function person(id: string): PolicyEntry {
  return create(PolicyEntrySchema, { key: `principal/${id}`, entry: { case: "principal", value: { id } } });
}

function grantEntry(
  id: string,
  level: Level,
  verbs: readonly string[],
  other: { subject?: string; resource?: string; effect?: Effect } = {},
): PolicyEntry {
  const value = create(GrantSchema, {
    id,
    subject: id,
    resource: "default",
    level,
    verbs: [...verbs],
    effect: Effect.ALLOW,
    createdAt: timestampFromMs(0),
    ...other,
  });
  return create(PolicyEntrySchema, { key: `grant/${id}`, entry: { case: "grant", value } });
}
