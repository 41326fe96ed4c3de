import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AccessService, AuditService, DirectoryService, PolicyService, SessionService } from "@aimass/api/auth";
import { type Clock, type Environment, parseAddress, type RunningService, systemClock } from "@aimass/core";
import { createMeshIdentity, PolicyStore, ServiceIdentity } from "@aimass/identity";
import { createServiceClient, followPolicy } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { createTestDatabase, type TestDatabase, tempDirectory, waitFor } from "@aimass/testkit";
import type { DescService } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { startAuth } from "../app.ts";
import { readAuthConfig } from "../config.ts";

/** An auth service on a database of its own, with the tools to talk to it as the router does. */
export interface AuthFixture extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly directory: string;
  readonly router: ServiceIdentity;
  identity(role: string): Promise<ServiceIdentity>;
  /** Starts one more process on the same database. */
  startProcess(env?: Environment): Promise<RunningService>;
  readonly first: RunningService;
  /** Clients of one process, on behalf of whoever holds the token; without one anonymous. */
  as(token?: string, process?: RunningService): AuthClients;
  /** Signs in and gives the access token. */
  signIn(username: string, password: string): Promise<string>;
  signInAdmin(): Promise<string>;
  /** An enforcer as other services have them. */
  enforce(name: string, process?: RunningService): Promise<Enforcer>;
}

export interface AuthClients {
  readonly session: Client<typeof SessionService>;
  readonly directory: Client<typeof DirectoryService>;
  readonly access: Client<typeof AccessService>;
  readonly audit: Client<typeof AuditService>;
  readonly policy: Client<typeof PolicyService>;
}

export interface Enforcer {
  readonly id: string;
  readonly store: PolicyStore;
  stop(): Promise<void>;
}

export interface AuthFixtureOptions {
  readonly clock?: Clock;
  /** Where auth asks for models; default: nobody is there. */
  readonly registry?: string;
}

export async function startAuthFixture(options: AuthFixtureOptions = {}): Promise<AuthFixture> {
  const resources = new AsyncDisposableStack();
  try {
    return await buildFixture(options, resources);
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

async function buildFixture(options: AuthFixtureOptions, resources: AsyncDisposableStack): Promise<AuthFixture> {
  const { clock = systemClock } = options;
  const database = resources.use(await createTestDatabase());
  const { path: directory } = resources.use(await tempDirectory());
  await createMeshIdentity(directory, ["auth", "router", "registry"]);
  const identity = (role: string) =>
    ServiceIdentity.load(join(directory, `${role}.identity.json`), join(directory, "trust.json"), clock);
  const router = await identity("router");
  const telemetry = silentTelemetry();
  const startProcess = async (env: Environment = {}) => {
    const config = readAuthConfig({
      AIMASS_DATABASE_URL: database.url,
      AIMASS_IDENTITY_FILE: join(directory, "auth.identity.json"),
      AIMASS_TRUST_FILE: join(directory, "trust.json"),
      AIMASS_STATE_DIR: directory,
      AIMASS_REGISTRY_ADDRESSES: options.registry ?? "127.0.0.1:1",
      ...env,
    });
    const running = await startAuth(config, { clock, telemetry });
    resources.defer(() => running.stop(1000).catch(() => {}));
    return running;
  };
  const first = await startProcess();
  const as = (token?: string, process: RunningService = first): AuthClients => {
    const client = <S extends DescService>(service: S) => {
      const made = createServiceClient(service, { addresses: [addressOf(process)], identity: router });
      return token === undefined ? made : withToken(made, token);
    };
    return {
      session: client(SessionService),
      directory: client(DirectoryService),
      access: client(AccessService),
      audit: client(AuditService),
      policy: client(PolicyService),
    };
  };
  const signIn = async (username: string, password: string) => {
    const { tokens } = await as().session.signIn({ username, password });
    return tokens?.accessToken ?? "";
  };
  const enforce = async (name: string, process: RunningService = first): Promise<Enforcer> => {
    const registry = await identity("registry");
    const store = new PolicyStore({ identity: registry, clock });
    const end = new AbortController();
    const id = `registry/${name}`;
    const following = followPolicy({
      addresses: [addressOf(process)],
      identity: registry,
      enforcerId: id,
      store,
      clock,
      telemetry,
      signal: end.signal,
    });
    await waitFor(() => store.version > 0n, { what: `${id} to hold a policy` });
    const stop = () => {
      end.abort();
      return following;
    };
    resources.defer(stop);
    return { id, store, stop };
  };
  return {
    database,
    directory,
    router,
    identity,
    startProcess,
    first,
    as,
    signIn,
    signInAdmin: async () => signIn("admin", (await readFile(join(directory, "admin-password"), "utf8")).trim()),
    enforce,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** A client whose every call carries a credential. */
function withToken<S extends DescService>(client: Client<S>, token: string): Client<S> {
  return new Proxy(client, {
    get(target, name) {
      const method = Reflect.get(target, name) as (request: unknown, options?: { headers?: object }) => unknown;
      return (request: unknown, options: { headers?: object } = {}) =>
        method(request, { ...options, headers: { authorization: `Bearer ${token}`, ...options.headers } });
    },
  });
}

function addressOf(process: RunningService) {
  const address = parseAddress(process.addresses.rpc ?? "");
  if (address === undefined) throw new Error("the process has no address");
  return address;
}
