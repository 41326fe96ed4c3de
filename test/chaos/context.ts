import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FleetService, LoadState, type ReplicaInfo } from "@aimass/api/scheduler";
import { AimassError, systemClock } from "@aimass/core";
import type { MortalServer } from "@aimass/testkit";
import type { TestMesh } from "../support/test-mesh.ts";

/** Longest wait for a mesh to be well again. */
const recoveryLimitMs = 60_000;

/** What scenarios do to a mesh, and how they see that it has recovered from just that. */
export class ChaosContext {
  readonly mesh: TestMesh;
  readonly nats: MortalServer | undefined;
  readonly #models: readonly string[];
  readonly #replicasOfEach: number;
  /** Services that were killed, with the process id they must no longer have. */
  readonly #killedServices = new Map<string, number>();
  #killedReplicas = 0;
  #killedPostgres: number | undefined;
  #incarnationsBefore: ReadonlySet<string> = new Set();

  constructor(o: {
    mesh: TestMesh;
    models: readonly string[];
    replicasOfEach: number;
    nats?: MortalServer | undefined;
  }) {
    this.mesh = o.mesh;
    this.nats = o.nats;
    this.#models = o.models;
    this.#replicasOfEach = o.replicasOfEach;
  }

  /** Remembers how things are before a scenario, so that `recovered` can tell old from new. */
  async begin(): Promise<void> {
    this.#killedServices.clear();
    this.#killedReplicas = 0;
    this.#killedPostgres = undefined;
    this.#incarnationsBefore = new Set((await this.replicas()).map((replica) => replica.incarnation));
  }

  /** Process ids of the replicas, in a stable order. */
  replicaPids(): number[] {
    // Not those of the agent's children alone: a replica that an earlier agent started is not one of them.
    const folder = join(this.mesh.mesh.data.path, "agent", "replicas");
    return readdirSync(folder)
      .sort()
      .map((name) => (JSON.parse(readFileSync(join(folder, name, "process.json"), "utf8")) as { pid: number }).pid);
  }

  /** Kills the n-th replica process with SIGKILL; its agent starts it again. */
  killReplica(n: number): void {
    process.kill(this.replicaPids()[n] as number, "SIGKILL");
    this.#killedReplicas += 1;
  }

  /** A replica that is expected to end itself. */
  expectReplicaEnd(): void {
    this.#killedReplicas += 1;
  }

  /** Kills services by name with SIGKILL; the supervisor starts them again. */
  kill(...names: string[]): void {
    this.signal("SIGKILL", ...names);
  }

  signal(signal: NodeJS.Signals, ...names: string[]): void {
    for (const name of names) {
      const pid = this.mesh.mesh.processes.get(name)?.pid;
      if (pid === undefined) throw new AimassError("INTERNAL", `${name} is not running.`);
      process.kill(pid, signal);
      if (signal !== "SIGSTOP") this.#killedServices.set(name, pid);
    }
  }

  killPostgres(): void {
    const pid = this.mesh.mesh.postgres?.pid;
    if (pid === undefined) throw new AimassError("INTERNAL", "PostgreSQL is not running.");
    process.kill(pid, "SIGKILL");
    this.#killedPostgres = pid;
  }

  wait(ms: number): Promise<void> {
    return systemClock.sleep(ms);
  }

  async replicas(): Promise<ReplicaInfo[]> {
    const { nodes } = await this.mesh.admin.client(FleetService).listNodes({});
    return nodes.flatMap((node) => node.replicas);
  }

  /**
   * Waits until what was killed runs again as a new process, the control plane answers, and every model is ready on as many live replicas as wanted.
   * Returns milliseconds.
   */
  async recovered(): Promise<number> {
    const startedAt = performance.now();
    let last = "";
    while (performance.now() - startedAt < recoveryLimitMs) {
      try {
        const missing = this.#servicesNotBack() ?? (await this.#replicasNotBack());
        if (missing === undefined) return performance.now() - startedAt;
        last = missing;
      } catch (error) {
        last = (error as Error).message;
      }
      await this.wait(50);
    }
    throw new AimassError("DEADLINE_EXCEEDED", `Not recovered after ${recoveryLimitMs / 1000} s: ${last}.`);
  }

  #servicesNotBack(): string | undefined {
    const { postgres } = this.mesh.mesh;
    if (this.#killedPostgres !== undefined && postgres?.pid === this.#killedPostgres) return "PostgreSQL is not back";
    for (const [name, oldPid] of this.#killedServices) {
      const state = this.mesh.mesh.processes.get(name)?.state;
      if (state?.kind !== "ready" || state.pid === oldPid) return `${name} is ${state?.kind}`;
    }
    return undefined;
  }

  async #replicasNotBack(): Promise<string | undefined> {
    const live = (await this.replicas()).filter((replica) => replica.live);
    const fresh = live.filter((replica) => !this.#incarnationsBefore.has(replica.incarnation)).length;
    if (fresh < this.#killedReplicas) return `${fresh} of ${this.#killedReplicas} replicas are new`;
    const holds = (model: string) =>
      live.filter((r) => r.loaded.some((v) => v.model === model && v.state === LoadState.READY)).length;
    const short = this.#models.filter((model) => holds(model) < this.#replicasOfEach);
    return short.length === 0 ? undefined : `${short.join(", ")} not on ${this.#replicasOfEach} live replicas`;
  }
}
