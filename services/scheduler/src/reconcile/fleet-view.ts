import { type DesiredDeployment, type HeldVersion, type ReplicaState, type Snapshot, versionKey } from "./snapshot.ts";

/** The fleet with the look-ups that every step of a pass needs. */
export class FleetView {
  readonly replicas: readonly ReplicaState[];
  readonly #byId: ReadonlyMap<string, ReplicaState>;
  readonly #held: ReadonlyMap<string, ReadonlyMap<string, HeldVersion>>;

  readonly #suitable = new Map<string, readonly ReplicaState[]>();

  constructor(snapshot: Pick<Snapshot, "replicas">) {
    this.replicas = [...snapshot.replicas].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#byId = new Map(this.replicas.map((replica) => [replica.id, replica]));
    this.#held = new Map(
      this.replicas.map((replica) => [
        replica.id,
        new Map(replica.held.map((held) => [versionKey(held.key, held.version), held])),
      ]),
    );
  }

  find(id: string): ReplicaState | undefined {
    return this.#byId.get(id);
  }

  /** What a replica reports of a version. */
  held(replicaId: string, key: string, version: number): HeldVersion | undefined {
    return this.#held.get(replicaId)?.get(versionKey(key, version));
  }

  isReady(replicaId: string, key: string, version: number): boolean {
    return this.isPresent(replicaId) && this.held(replicaId, key, version)?.state === "ready";
  }

  /** Known and not given up. */
  isPresent(replicaId: string): boolean {
    const replica = this.find(replicaId);
    return replica !== undefined && replica.presence !== "gone";
  }

  /** Whether an operator moves everything that a node serves elsewhere, replica by replica. */
  isDrained(node: string): boolean {
    const own = this.replicas.filter((replica) => replica.node === node && replica.presence !== "gone");
    return own.length > 0 && own.every((replica) => replica.draining);
  }

  /** Replicas that may keep versions of a deployment. */
  suitable(deployment: DesiredDeployment): readonly ReplicaState[] {
    const kind = `${deployment.dedicated ? deployment.key : ""} ${deployment.deviceKind}`;
    let suitable = this.#suitable.get(kind);
    if (suitable === undefined) {
      suitable = this.replicas.filter((replica) => isSuitable(replica, deployment));
      this.#suitable.set(kind, suitable);
    }
    return suitable;
  }

  /** Replicas that may get new versions of a deployment. */
  open(deployment: DesiredDeployment): ReplicaState[] {
    return this.suitable(deployment).filter((replica) => replica.presence === "attached");
  }
}

/** True for a replica that is here to stay and of the kind the deployment asks for. */
export function isSuitable(replica: ReplicaState, deployment: DesiredDeployment): boolean {
  return replica.presence !== "gone" && !replica.draining && !replica.leaving && isKindOf(replica, deployment);
}

/** True for a replica whose device and owner are what the deployment asks for, whatever its state. */
export function isKindOf(replica: ReplicaState, deployment: DesiredDeployment): boolean {
  const owner = deployment.dedicated ? deployment.key : "";
  return (
    replica.dedicatedTo === owner && (deployment.deviceKind === "" || deployment.deviceKind === replica.deviceKind)
  );
}
