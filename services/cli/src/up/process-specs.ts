import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { freePort } from "@aimass/core";
import { type DataDirectory, localNode } from "./data-directory.ts";
import { cpuDevices } from "./devices.ts";
import type { DatabaseUrls } from "./service-databases.ts";
import type { ProcessSpec } from "./supervised-process.ts";

/** What the processes of a mesh depend on. */
export interface ProcessPlan {
  readonly data: DataDirectory;
  readonly databaseUrls: DatabaseUrls;
  /** Addresses of each router, with commas between them. */
  readonly listeners: readonly string[];
  readonly schedulers: number;
  /** CPU sets, each with a replica, unless AIMASS_DEVICES says otherwise. */
  readonly replicas: number;
  /** Further variables for every process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly openLog: (name: string) => ProcessSpec["log"];
}

/** What a process inherits of the caller's environment beside AIMASS_*, LOG* and OTEL_*. */
const inheritedVariables = [
  "PATH",
  "HOME",
  "TMPDIR",
  "TZ",
  "LANG",
  "SSL_CERT_FILE",
  "NODE_COMPILE_CACHE",
  "NODE_EXTRA_CA_CERTS",
  "CUDA_VISIBLE_DEVICES",
  "LD_LIBRARY_PATH",
  "NATS_URL",
  "SystemRoot",
];

/** Every process of a mesh, with ports that are free now, the key of its role and the database that is its own. */
export async function processSpecs(plan: ProcessPlan): Promise<ProcessSpec[]> {
  const { data, databaseUrls, listeners } = plan;
  const [auth, registry, trainer, console_] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const schedulerPorts = await Promise.all(Array.from({ length: plan.schedulers }, () => freePort()));
  const common = {
    AIMASS_AUTH_ADDRESSES: local(auth),
    AIMASS_REGISTRY_ADDRESSES: local(registry),
    AIMASS_TRAINER_ADDRESSES: local(trainer),
    AIMASS_SCHEDULER_ADDRESSES: schedulerPorts.map(local).join(","),
    AIMASS_CONSOLE_ADDRESSES: local(console_),
    AIMASS_TRUST_FILE: data.trustFile,
    LOG_FORMAT: "json",
  };
  const ownArtifacts = pathToFileURL(join(data.folder("registry"), "artifacts")).href;
  const withArtifacts = { AIMASS_ARTIFACTS: process.env.AIMASS_ARTIFACTS || ownArtifacts };
  const spec = (name: string, role: string, main: string, env: Record<string, string>): ProcessSpec => ({
    name,
    main: servicePath(main),
    log: plan.openLog(name),
    env: {
      ...withoutDatabase(inheritedEnvironment()),
      ...common,
      ...databaseOf(databaseUrls, role),
      AIMASS_IDENTITY_FILE: data.identityFile(role),
      AIMASS_STATE_DIR: data.folder(name),
      AIMASS_ADMIN_LISTEN: "127.0.0.1:0",
      ...env,
      ...withoutDatabase(defined(plan.env)),
    },
  });
  return [
    spec("auth", "auth", "auth/src/main.ts", {
      ...withArtifacts,
      AIMASS_LISTEN: local(auth),
      AIMASS_AUTH_SECRET_FILE: data.authSecretFile,
    }),
    spec("registry", "registry", "registry/src/main.ts", { ...withArtifacts, AIMASS_LISTEN: local(registry) }),
    spec("trainer", "trainer", "trainer/src/main.ts", { AIMASS_LISTEN: local(trainer) }),
    ...schedulerPorts.map((port, i) =>
      spec(numbered("scheduler", i), "scheduler", "scheduler/src/main.ts", { AIMASS_LISTEN: local(port) }),
    ),
    spec("console", "console", "console/src/main.ts", { AIMASS_LISTEN: local(console_) }),
    spec("agent", "inference", "inference/src/agent-main.ts", {
      AIMASS_NODE: localNode,
      AIMASS_SUPERVISOR_LOCK: data.lockFile,
      AIMASS_DEVICES: process.env.AIMASS_DEVICES ?? cpuDevices(plan.replicas, availableParallelism()),
    }),
    ...listeners.map((listen, i) =>
      spec(numbered("router", i), "router", "router/src/main.ts", {
        AIMASS_LISTEN: listen,
        // One port cannot be every router's; each would tell the same.
        ...(i > 0 && { AIMASS_TRITON_METRICS_LISTEN: "" }),
      }),
    ),
  ];
}

function local(port: number): string {
  return `127.0.0.1:${port}`;
}

function numbered(name: string, index: number): string {
  return index === 0 ? name : `${name}-${index + 1}`;
}

function databaseOf(urls: DatabaseUrls, role: string): Record<string, string> {
  const url = urls.get(role);
  return url === undefined ? {} : { AIMASS_DATABASE_URL: url };
}

function inheritedEnvironment(): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => inheritedVariables.includes(name) || /^(AIMASS_|OTEL_|LOG$|ONNXRUNTIME_)/.test(name),
  );
  return defined(Object.fromEntries(inherited));
}

/** Each service gets the database's URL that is its own, the others none. */
function withoutDatabase(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !name.startsWith("AIMASS_DATABASE_URL")));
}

function defined(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Services are started as processes, never imported: their paths are all the supervisor knows of them. */
function servicePath(path: string): string {
  return join(dirname(fileURLToPath(import.meta.url)), "../../..", path);
}
