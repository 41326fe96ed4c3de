import { type Outcome, reconcile } from "./reconcile.ts";
import {
  type Decisions,
  type DesiredDeployment,
  type HeldState,
  type HeldVersion,
  type LibraryModel,
  type NodeState,
  noDecisions,
  type Placement,
  type QuarantineMark,
  type ReplicaState,
  type Snapshot,
} from "./snapshot.ts";

const mib = 2 ** 20;

/** A fleet with a library for the policy's tests: change what is there, reconcile, look at what was decided. Time stands until `pass` moves it. */
export class Situation {
  now = 1_000_000;
  readonly deployments = new Map<string, DesiredDeployment>();
  readonly models = new Map<string, { aliases: Map<string, number>; versions: Map<number, LibraryModelVersion> }>();
  readonly replicas = new Map<string, ReplicaState>();
  readonly nodes = new Map<string, NodeState>();
  quarantine: QuarantineMark[] = [];
  decisions: Decisions = noDecisions;

  replica(id: string, change: Partial<ReplicaState> = {}): this {
    const before = this.replicas.get(id) ?? newReplica(id);
    this.replicas.set(id, { ...before, ...change });
    return this;
  }

  /** A machine with an agent, and one CPU device. */
  node(name: string, change: Partial<NodeState> = {}): this {
    const devices = [{ id: "cpu-0", kind: "cpu" }];
    const fresh = { name, presence: "attached", draining: false, freeMemory: 0, freeDisk: 0, devices } as const;
    this.nodes.set(name, { ...(this.nodes.get(name) ?? fresh), ...change });
    return this;
  }

  model(
    key: string,
    aliases: Record<string, number>,
    versions: readonly number[] = Object.values(aliases),
    memoryMib = 1,
  ): this {
    const known = this.models.get(key)?.versions ?? new Map<number, LibraryModelVersion>();
    for (const version of versions) known.set(version, { ...newVersion(version), memoryBytes: memoryMib * mib });
    this.models.set(key, { aliases: new Map(Object.entries(aliases)), versions: known });
    return this;
  }

  deploy(key: string, change: Partial<DesiredDeployment> = {}): this {
    const [project = "", model = ""] = key.split(".");
    const spec = {
      key,
      project,
      model,
      aliases: ["default"],
      versions: [],
      replicas: 1,
      dedicated: false,
      deviceKind: "",
      keepWarm: 1,
      onDemand: false,
      paused: false,
    };
    this.deployments.set(key, { ...spec, ...this.deployments.get(key), ...change });
    return this;
  }

  /** A replica reports a version; without a state it reports it no more. */
  report(
    replicaId: string,
    key: string,
    version: number,
    state: HeldState | "absent",
    facts: Partial<HeldVersion> = {},
  ): this {
    const others = this.#replica(replicaId).held.filter((held) => held.key !== key || held.version !== version);
    const held = { key, version, state: state as HeldState, reason: "", parity: "aa", ...facts };
    return this.replica(replicaId, { held: state === "absent" ? others : [...others, held] });
  }

  snapshot(): Snapshot {
    return {
      now: this.now,
      timings: { drainMs: 5000 },
      deployments: [...this.deployments.values()],
      models: this.models as ReadonlyMap<string, LibraryModel>,
      replicas: [...this.replicas.values()],
      nodes: [...this.nodes.values()],
      quarantine: this.quarantine,
      decisions: this.decisions,
    };
  }

  /** Reconciles once, `ms` later, and keeps what was decided. */
  reconcile(ms = 0): Outcome {
    this.now += ms;
    const outcome = reconcile(this.snapshot());
    this.decisions = outcome.decisions;
    return outcome;
  }

  /** Every replica does what it was told: loads what it was given, unloads what was taken away. Then reconciles. */
  obey(ms = 0): Outcome {
    for (const replica of this.replicas.values()) {
      if (replica.presence !== "attached") continue;
      const given = this.decisions.placements.filter((placement) => placement.replica === replica.id);
      const held = given.map((p) => heldAfterLoad(replica, p));
      this.replica(replica.id, { held });
    }
    return this.reconcile(ms);
  }

  /** Reconciles and obeys until nothing is left to do at this time. */
  settle(ms = 0): Outcome {
    let outcome = this.reconcile(ms);
    for (let round = 0; round < 6; round += 1) outcome = this.obey();
    return outcome;
  }

  /** Replica ids that hold a version and are not on their way out. */
  holders(key: string, version: number): string[] {
    return this.#placements(key, version)
      .filter((p) => p.releasedAt === undefined)
      .map((p) => p.replica);
  }

  /** Replica ids that finish what they have of a version. */
  drainers(key: string, version: number): string[] {
    return this.#placements(key, version)
      .filter((p) => p.releasedAt !== undefined)
      .map((p) => p.replica);
  }

  #placements(key: string, version: number): Placement[] {
    return this.decisions.placements.filter((p) => p.key === key && p.version === version);
  }

  #replica(id: string): ReplicaState {
    return this.replicas.get(id) ?? newReplica(id);
  }
}

type LibraryModelVersion = LibraryModel["versions"] extends ReadonlyMap<number, infer V> ? V : never;

function heldAfterLoad(replica: ReplicaState, { key, version }: Placement): HeldVersion {
  const before = replica.held.find((held) => held.key === key && held.version === version);
  return before?.state === "failed" || before?.state === "ready"
    ? before
    : { key, version, state: "ready", reason: "", parity: "aa" };
}

function newReplica(id: string): ReplicaState {
  const [node = id, deviceId = "cpu-0"] = id.split("/");
  return {
    id,
    node,
    deviceId,
    deviceKind: deviceId.split("-")[0] ?? "cpu",
    address: `${node}:1`,
    incarnation: "1",
    dedicatedTo: "",
    presence: "attached",
    draining: false,
    leaving: false,
    memoryUsed: 100 * mib,
    memoryLimit: 1024 * mib,
    cpus: 4,
    held: [],
  };
}

function newVersion(version: number): LibraryModelVersion {
  return { version, servable: true, memoryBytes: mib, diskBytes: mib, runLimitMs: 0, threads: 0 };
}

/** The route entry of a model, with plain numbers: versions to replica ids, aliases that go somewhere to versions. */
export function modelRoute(outcome: Outcome, key: string) {
  const entry = outcome.routes.find((route) => route.key === `model/${key}`)?.entry;
  if (entry?.case !== "model") return { versions: {}, aliases: {}, reasons: {}, warm: [], belonging: {} };
  const { versions, aliases } = entry.value;
  return {
    versions: Object.fromEntries(versions.map((v) => [Number(v.version), v.replicaIds])),
    reasons: Object.fromEntries(versions.map((v) => [Number(v.version), v.unavailableReason])),
    aliases: Object.fromEntries(
      aliases.flatMap(({ alias, targets }) => targets.map((target) => [alias, Number(target.version)])),
    ),
    warm: versions.filter((v) => v.warm).map((v) => Number(v.version)),
    belonging: Object.fromEntries(versions.map((v) => [Number(v.version), v.aliases])),
  };
}
