import type { RecordStore } from "@aimass/artifacts";
import type { Clock } from "@aimass/core";
import type { EventBus } from "@aimass/events";
import { PolicyStore, type ServiceIdentity } from "@aimass/identity";
import type { Telemetry } from "@aimass/telemetry";
import { Grants } from "./access/grants.ts";
import { ModelLibrary } from "./access/model-library.ts";
import { Ledger } from "./audit/ledger.ts";
import { LedgerHeads } from "./audit/ledger-heads.ts";
import { StoredHeads } from "./audit/stored-heads.ts";
import type { AuthConfig } from "./config.ts";
import type { AuthStore } from "./database.ts";
import { ApiKeys } from "./directory/api-keys.ts";
import { Groups } from "./directory/groups.ts";
import { ServiceAccounts } from "./directory/service-accounts.ts";
import { Users } from "./directory/users.ts";
import { AuthEvents } from "./events.ts";
import { createAuthMetrics } from "./metrics.ts";
import { AttemptLimit } from "./passwords/attempt-limit.ts";
import { PasswordHasher } from "./passwords/password-hasher.ts";
import type { Enforcers } from "./policy/enforcers.ts";
import { PolicyWriter } from "./policy/policy-change.ts";
import { PolicyFeed } from "./policy/policy-feed.ts";
import { OpenSessions } from "./sessions/open-sessions.ts";
import { Sessions } from "./sessions/sessions.ts";
import { Seal } from "./signing/seal.ts";
import { SigningKeys } from "./signing/signing-keys.ts";

/** What the parts stand on. */
export interface Ground {
  readonly config: AuthConfig;
  readonly identity: ServiceIdentity;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly store: AuthStore;
  readonly bus: EventBus;
  readonly enforcers: Enforcers;
  /** Where the ledger's heads go beside the database; undefined: nowhere. */
  readonly headRecords: RecordStore | undefined;
}

/** The parts of the service, put together. Nothing runs yet. */
export type Parts = ReturnType<typeof createParts>;

export function createParts(ground: Ground) {
  const { config, telemetry, clock, store, bus, headRecords } = ground;
  const metrics = createAuthMetrics(telemetry.metrics);
  const { policy, feed, refresh } = createPolicy(ground, () => metrics.policyReadFailures.add());
  const writer = new PolicyWriter(store, refresh);
  const events = new AuthEvents(bus);
  const hasher = new PasswordHasher(config.passwordHashers);
  const attempts = new AttemptLimit(store, clock);
  const keys = new SigningKeys({ writer, seal: new Seal(config.secret), clock });
  const sessions = new Sessions({ writer, keys, hasher, attempts, events, clock });
  const ledger = new Ledger(store);
  const { stateDirectory, auditWebhookUrl: webhookUrl } = config;
  const log = telemetry.log.scope("auth.audit");
  const storedHeads = headRecords && new StoredHeads(store, headRecords);
  const heads = new LedgerHeads({ store, ledger, keys, clock, log, stateDirectory, webhookUrl, stored: storedHeads });
  const directory = { writer, events, clock };
  return {
    ...ground,
    ...{ metrics, policy, feed, refresh, writer, events, hasher, attempts, keys, sessions, ledger, heads, storedHeads },
    guard: { policy, enforcers: ground.enforcers, clock },
    users: new Users({ ...directory, hasher, sessions }),
    groups: new Groups(directory),
    serviceAccounts: new ServiceAccounts(directory),
    apiKeys: new ApiKeys(directory),
    openSessions: new OpenSessions(directory),
    grants: new Grants(directory),
    library: new ModelLibrary({ addresses: config.registryAddresses, identity: ground.identity, telemetry }),
  };
}

/** What this process enforces itself, and what it feeds to others. */
function createPolicy(ground: Ground, onFailure: () => void) {
  const { config, identity, telemetry, clock, store, enforcers } = ground;
  const policy = new PolicyStore({ identity, clock });
  const feed = new PolicyFeed({
    store,
    identity,
    policy,
    clock,
    maxAgeSeconds: config.policyMaxAgeSeconds,
    // A lost acknowledgement is made good by the next version; until then this process is named as missing.
    onVersion: (held) => void enforcers.acknowledge(identity.name, held).catch(() => {}),
  });
  const refresh = () => {
    void feed.refresh().catch((error: unknown) => {
      onFailure();
      telemetry.log.scope("auth.policy").warn("policy not read", { error });
    });
  };
  return { policy, feed, refresh };
}
