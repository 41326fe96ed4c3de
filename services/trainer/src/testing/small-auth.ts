import { Effect, GrantSchema, Level, type PolicyEntry, PolicyEntrySchema, PolicyService } from "@aimass/api/auth";
import { systemClock } from "@aimass/core";
import { KeyedState, policyEntryBytes, type ServiceIdentity, signPolicyUpdate } from "@aimass/identity";
import { type RpcServer, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";

/** An auth service that tells one fixed policy: user:ada may edit, user:eve may view, in the project "default". For tests of the trainer alone. */
export async function startSmallAuth(identity: ServiceIdentity): Promise<RpcServer> {
  const entries = [
    person("user:ada"),
    person("user:eve"),
    grant("user:ada", Level.EDIT),
    grant("user:eve", Level.VIEW),
  ];
  const digest = new KeyedState(entries.map((entry) => [entry.key, policyEntryBytes(entry)] as const)).digest();
  const update = () => {
    const head = { epoch: "e", version: 1n, digest, issuedAtMs: Date.now(), maxAgeSeconds: 3600n };
    return signPolicyUpdate(identity, head, { full: true, entries, removedKeys: [] });
  };
  return serveRpc({
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
            await systemClock.sleep(1000, signal).catch(() => {});
          }
        },
        acknowledgePolicy: () => ({}),
      }),
  });
}

function person(id: string): PolicyEntry {
  return create(PolicyEntrySchema, { key: `principal/${id}`, entry: { case: "principal", value: { id } } });
}

function grant(subject: string, level: Level): PolicyEntry {
  const createdAt = timestampFromMs(0);
  const value = create(GrantSchema, {
    id: subject,
    subject,
    resource: "default",
    level,
    effect: Effect.ALLOW,
    createdAt,
  });
  return create(PolicyEntrySchema, { key: `grant/${subject}`, entry: { case: "grant", value } });
}
