import { AccessService, AuditService, DirectoryService, PolicyService, SessionService } from "@aimass/api/auth";
import type { Event } from "@aimass/api/events";
import { openRecordStore } from "@aimass/artifacts";
import { type Clock, formatAddress, type RunningService, systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { ServiceIdentity } from "@aimass/identity";
import { type RpcServer, serveRpc } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { createTelemetry, serveAdmin, type Telemetry } from "@aimass/telemetry";
import { removeOrphans } from "./access/orphaned-grants.ts";
import { headsFolder } from "./audit/stored-heads.ts";
import { bootstrapAdmin } from "./bootstrap/admin.ts";
import { choresOf, signOfLifeMs } from "./chores.ts";
import type { AuthConfig } from "./config.ts";
import type { AuthDatabase } from "./database.ts";
import { doChores } from "./housekeeping.ts";
import { authMigrations } from "./migrations/index.ts";
import { createParts, type Parts } from "./parts.ts";
import { Enforcers } from "./policy/enforcers.ts";
import { policyChannel } from "./policy/policy-change.ts";
import { createAccessService } from "./rpc/access-service.ts";
import { createAuditService } from "./rpc/audit-service.ts";
import { createDirectoryService } from "./rpc/directory-service.ts";
import { createPolicyService } from "./rpc/policy-service.ts";
import { createSessionService, publicMethods } from "./rpc/session-service.ts";

/** What a test may replace. */
export interface AuthSurroundings {
  readonly clock?: Clock;
  readonly telemetry?: Telemetry;
}

const exportEveryEntries = 100n;

/** How long the end of a process waits for the artifact store to take the last head. */
const lastHeadMs = 2000;

/** Starts an auth process: any number may run on one database. */
export async function startAuth(config: AuthConfig, surroundings: AuthSurroundings = {}): Promise<RunningService> {
  await using resources = new AsyncDisposableStack();
  const end = new AbortController();
  const parts = createParts(await openGround(config, surroundings, resources));
  const { telemetry, clock, identity, policy, feed, heads, storedHeads, enforcers } = parts;
  const log = telemetry.log.scope("auth");

  await makeFirstThings(parts);
  resources.use(await parts.store.listen(policyChannel, parts.refresh));
  await feed.refresh();
  await subscribe(parts, end.signal);
  const server = await serve(parts);
  resources.defer(() => server.drain(0));
  const ready = () => policy.ageMs() < 3 * signOfLifeMs || "The database cannot be read.";
  const admin = await serveAdmin({ listen: config.adminListen, telemetry, ready });
  const chores = doChores(choresOf(parts), { clock, log, signal: end.signal });
  log.info("auth started", { instance: identity.instance, policyVersion: policy.version.toString() });

  const held = resources.move();
  return {
    addresses: { rpc: formatAddress(server.address), admin: formatAddress(admin.address) },
    async stop(graceMs) {
      feed.close();
      await server.drain(graceMs);
      end.abort();
      await chores;
      await heads.export().catch(() => {});
      await storedHeads?.export(AbortSignal.timeout(lastHeadMs)).catch(() => {});
      await enforcers.leave(identity.name).catch(() => {});
      await admin.close();
      await held.disposeAsync();
    },
  };
}

/** Opens what the parts stand on; all of it is released with `resources`. */
async function openGround(config: AuthConfig, surroundings: AuthSurroundings, resources: AsyncDisposableStack) {
  const clock = surroundings.clock ?? systemClock;
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const { instance } = identity;
  const telemetry = surroundings.telemetry ?? createTelemetry({ service: "auth", instance, env: config.env });
  resources.use(telemetry);
  const log = telemetry.log.scope("auth");
  const { databaseUrl, natsUrl } = config;
  const store = await openStore<AuthDatabase>({
    url: databaseUrl,
    schema: "auth",
    migrations: authMigrations,
    clock,
    onError: (error) => log.debug("database connection broken", { error }),
  });
  resources.use(store);
  const bus = resources.use(await openEventBus({ identity, store, natsUrl, databaseUrl, clock, telemetry }));
  const enforcers = resources.use(await Enforcers.open(store, clock));
  const { artifacts } = config;
  const headRecords = resources.use(artifacts && (await openRecordStore(artifacts, headsFolder)));
  return { config, identity, telemetry, clock, store, bus, enforcers, headRecords };
}

/** What a new database lacks: a signing key and an admin. */
async function makeFirstThings(parts: Parts): Promise<void> {
  const { keys, config, telemetry } = parts;
  await keys.maintain(config.keyRotationHours * 3_600_000);
  await keys.current();
  const admin = await bootstrapAdmin({ ...parts, stateDirectory: config.stateDirectory });
  if (admin === undefined) return;
  // Without a file the log is the only place to tell the password; this line comes once in the life of a database.
  const { username, file, password } = admin;
  const where = file === undefined ? { password } : { file };
  telemetry.log.scope("auth").warn("first admin made; sign in and change the password", { username, ...where });
}

async function subscribe(parts: Parts, signal: AbortSignal): Promise<void> {
  const { bus, ledger, heads, metrics } = parts;
  const chain = async (event: Event) => {
    const sequence = event.audited ? await ledger.append(event) : undefined;
    if (sequence === undefined) return;
    metrics.auditEntries.add();
    if (sequence % exportEveryEntries === 0n) await heads.export();
  };
  await bus.subscribe({ consumer: "audit-ledger", signal, handle: chain });
  await bus.subscribe({
    consumer: "auth-orphaned-grants",
    kinds: ["modelChanged", "datasetDeleted", "projectChanged"],
    signal,
    handle: (event) => removeOrphans(parts, event),
  });
}

function serve(parts: Parts): Promise<RpcServer> {
  const { config, identity, policy, telemetry, clock } = parts;
  return serveRpc({
    name: "auth",
    listen: config.listen,
    identity,
    policy,
    telemetry,
    clock,
    services: [SessionService, DirectoryService, AccessService, AuditService, PolicyService],
    publicMethods: (method) => method.parent === SessionService && publicMethods.has(method.name),
    routes(router) {
      router.service(SessionService, createSessionService(parts));
      router.service(DirectoryService, createDirectoryService(parts));
      router.service(AccessService, createAccessService(parts));
      router.service(AuditService, createAuditService(parts));
      router.service(PolicyService, createPolicyService(parts));
    },
  });
}
