import { AccessService, AuditService, DirectoryService, PolicyService, SessionService } from "@aimass/api/auth";
import { type Clock, formatAddress, type RunningService, systemClock } from "@aimass/core";
import { openEventBus } from "@aimass/events";
import { PolicyStore, ServiceIdentity } from "@aimass/identity";
import { serveRpc } from "@aimass/rpc";
import { openStore } from "@aimass/store";
import { createTelemetry, serveAdmin, type Telemetry } from "@aimass/telemetry";
import { Grants } from "./access/grants.ts";
import { Ledger } from "./audit/ledger.ts";
import { LedgerHeads } from "./audit/ledger-heads.ts";
import { bootstrapAdmin } from "./bootstrap/admin.ts";
import type { AuthConfig } from "./config.ts";
import type { AuthDatabase } from "./database.ts";
import { ApiKeys } from "./directory/api-keys.ts";
import { Groups } from "./directory/groups.ts";
import { ServiceAccounts } from "./directory/service-accounts.ts";
import { Users } from "./directory/users.ts";
import { AuthEvents } from "./events.ts";
import { type Chore, doChores } from "./housekeeping.ts";
import { type AuthMetrics, createAuthMetrics } from "./metrics.ts";
import { authMigrations } from "./migrations/index.ts";
import { AttemptLimit } from "./passwords/attempt-limit.ts";
import { PasswordHasher } from "./passwords/password-hasher.ts";
import { Enforcers } from "./policy/enforcers.ts";
import { PolicyWriter, policyChannel } from "./policy/policy-change.ts";
import { PolicyFeed } from "./policy/policy-feed.ts";
import { trimChanges } from "./policy/policy-reader.ts";
import { createAccessService } from "./rpc/access-service.ts";
import { createAuditService } from "./rpc/audit-service.ts";
import { createDirectoryService } from "./rpc/directory-service.ts";
import { createPolicyService } from "./rpc/policy-service.ts";
import { createSessionService, publicMethods } from "./rpc/session-service.ts";
import { Sessions } from "./sessions/sessions.ts";
import { Seal } from "./signing/seal.ts";
import { SigningKeys } from "./signing/signing-keys.ts";

/** What a test may replace. */
export interface AuthSurroundings {
  readonly clock?: Clock;
  readonly telemetry?: Telemetry;
}

const signOfLifeMs = 5000;
const exportEveryMs = 60_000;
const exportEveryEntries = 100n;

/** Starts an auth process: any number may run on one database. */
export async function startAuth(config: AuthConfig, surroundings: AuthSurroundings = {}): Promise<RunningService> {
  const clock = surroundings.clock ?? systemClock;
  const identity = await ServiceIdentity.load(config.identityFile, config.trustFile, clock);
  const telemetry =
    surroundings.telemetry ?? createTelemetry({ service: "auth", instance: identity.instance, env: config.env });
  const log = telemetry.log.scope("auth");
  const end = new AbortController();
  await using resources = new AsyncDisposableStack();
  resources.use(telemetry);
  const metrics = createAuthMetrics(telemetry.metrics);
  const store = resources.use(
    await openStore<AuthDatabase>({
      url: config.databaseUrl,
      schema: "auth",
      migrations: authMigrations,
      clock,
      onError: (error) => log.debug("database connection broken", { error }),
    }),
  );
  const bus = resources.use(
    await openEventBus({
      source: "auth",
      store,
      natsUrl: config.natsUrl,
      databaseUrl: config.databaseUrl,
      clock,
      telemetry,
    }),
  );
  const enforcers = resources.use(await Enforcers.open(store, clock));
  const policy = new PolicyStore({ identity, clock });
  const feed = new PolicyFeed({
    store,
    identity,
    policy,
    clock,
    maxAgeSeconds: config.policyMaxAgeSeconds,
    onVersion: (held) => void enforcers.acknowledge(identity.name, held).catch(() => {}),
  });
  const refresh = () => {
    void feed.refresh().catch((error: unknown) => {
      metrics.policyReadFailures.add();
      log.scope("policy").warn("policy not read", { error });
    });
  };
  const writer = new PolicyWriter(store, refresh);
  const events = new AuthEvents(bus);
  const hasher = new PasswordHasher(config.passwordHashers);
  const attempts = new AttemptLimit(store, clock);
  const keys = new SigningKeys({ writer, seal: new Seal(config.secret), clock });
  const sessions = new Sessions({ writer, keys, hasher, attempts, events, clock });
  const directory = { writer, events, clock };
  const ledger = new Ledger(store);
  const { stateDirectory } = config;
  const heads = new LedgerHeads({ store, ledger, keys, clock, log: log.scope("audit"), stateDirectory });
  const rotationMs = config.keyRotationHours * 3_600_000;

  await keys.maintain(rotationMs);
  await keys.current();
  const admin = await bootstrapAdmin({ writer, events, hasher, clock, stateDirectory });
  if (admin !== undefined) {
    // Without a file the log is the only place to tell it; this line comes once in the life of a database.
    const { username, file, password } = admin;
    log.warn("first admin made; sign in and change the password", { username, ...(file ? { file } : { password }) });
  }
  resources.use(await store.listen(policyChannel, refresh));
  await feed.refresh();
  await bus.subscribe({
    consumer: "audit-ledger",
    signal: end.signal,
    async handle(event) {
      if (!event.audited) return;
      const sequence = await ledger.append(event);
      if (sequence === undefined) return;
      metrics.auditEntries.add();
      if (sequence % exportEveryEntries === 0n) await heads.export();
    },
  });

  const guard = { policy, enforcers, clock };
  const server = await serveRpc({
    name: "auth",
    listen: config.listen,
    identity,
    policy,
    telemetry,
    clock,
    services: [SessionService, DirectoryService, AccessService, AuditService, PolicyService],
    publicMethods: (method) => method.parent === SessionService && publicMethods.has(method.name),
    routes(router) {
      router.service(SessionService, createSessionService({ guard, sessions, keys, metrics }));
      router.service(
        DirectoryService,
        createDirectoryService({
          guard,
          users: new Users({ ...directory, hasher, sessions }),
          groups: new Groups(directory),
          serviceAccounts: new ServiceAccounts(directory),
          apiKeys: new ApiKeys(directory),
        }),
      );
      router.service(AccessService, createAccessService({ guard, grants: new Grants(directory) }));
      router.service(AuditService, createAuditService({ guard, ledger, heads }));
      router.service(PolicyService, createPolicyService({ feed, enforcers }));
    },
  });
  const adminServer = await serveAdmin({
    listen: config.adminListen,
    telemetry,
    ready: () => policy.ageMs() < 3 * signOfLifeMs || "The database cannot be read.",
  });

  const chores = doChores(
    [
      pulse({ feed, enforcers, metrics, name: identity.name }),
      { name: "rotate signing keys", everyMs: 60_000, run: () => keys.maintain(rotationMs) },
      { name: "export the ledger's head", everyMs: exportEveryMs, run: () => heads.export() },
      { name: "forget old attempts", everyMs: 600_000, run: () => attempts.forgetOld() },
      { name: "forget old sessions", everyMs: 3_600_000, run: () => sessions.forgetOld() },
      { name: "forget old enforcers", everyMs: 3_600_000, run: () => enforcers.forgetOld() },
      { name: "trim the policy's history", everyMs: 3_600_000, run: () => trimChanges(store) },
    ],
    { clock, log, signal: end.signal },
  );
  log.info("auth started", { instance: identity.instance, policyVersion: policy.version.toString() });
  const held = resources.move();
  return {
    addresses: { rpc: formatAddress(server.address), admin: formatAddress(adminServer.address) },
    async stop(graceMs) {
      feed.close();
      await server.drain(graceMs);
      end.abort();
      await chores;
      await heads.export().catch(() => {});
      await enforcers.leave(identity.name).catch(() => {});
      await adminServer.close();
      await held.disposeAsync();
    },
  };
}

/** Makes sure that the state is still the newest, and says so to all who follow here. */
function pulse(options: { feed: PolicyFeed; enforcers: Enforcers; metrics: AuthMetrics; name: string }): Chore {
  const { feed, enforcers, metrics, name } = options;
  return {
    name: "sign of life",
    everyMs: signOfLifeMs,
    async run() {
      try {
        await feed.refresh();
        await enforcers.keepAlive([name, ...feed.followers]);
        metrics.liveEnforcers.set(await enforcers.countLive());
      } catch (error) {
        metrics.policyReadFailures.add();
        throw error;
      } finally {
        // Also while the database is away: the stream lives, and the update carries the time of the last read.
        feed.signOfLife();
      }
    },
  };
}
