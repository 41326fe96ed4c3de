import { FleetService, LoadState, type ReplicaInfo } from "@aimass/api/scheduler";
import { childProcessesOf } from "@aimass/cli";
import { AimassError, systemClock } from "@aimass/core";
import type { TestMesh } from "../support/test-mesh.ts";

/** Longest wait for a mesh to be well again. */
const recoveryLimitMs = 60_000;

/** What scenarios do to a mesh, and how they see that it has recovered. */
export class ChaosContext {
  readonly mesh: TestMesh;
  readonly models: readonly string[];
  readonly replicasOfEach: number;

  constructor(mesh: TestMesh, models: readonly string[], replicasOfEach: number) {
    this.mesh = mesh;
    this.models = models;
    this.replicasOfEach = replicasOfEach;
  }

  /** Process ids of the replicas, in a stable order. */
  replicaPids(): number[] {
    const agent = this.mesh.mesh.processes.get("agent")?.pid;
    if (agent === undefined) throw new AimassError("INTERNAL", "The agent is not running.");
    return childProcessesOf(agent)
      .filter((child) => child.command.includes("replica-main"))
      .map((child) => child.pid)
      .sort((a, b) => a - b);
  }

  /** Kills services by name with SIGKILL; the supervisor starts them again. */
  kill(...names: string[]): void {
    for (const name of names) {
      const pid = this.mesh.mesh.processes.get(name)?.pid;
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    }
  }

  killPostgres(): void {
    const pid = this.mesh.mesh.postgres?.pid;
    if (pid === undefined) throw new AimassError("INTERNAL", "PostgreSQL is not running.");
    process.kill(pid, "SIGKILL");
  }

  wait(ms: number): Promise<void> {
    return systemClock.sleep(ms);
  }

  async replicas(): Promise<ReplicaInfo[]> {
    const { nodes } = await this.mesh.admin.client(FleetService).listNodes({});
    return nodes.flatMap((node) => node.replicas);
  }

  /** Waits until the control plane answers and every model is ready on as many live replicas as wanted. Returns milliseconds. */
  async recovered(): Promise<number> {
    const startedAt = performance.now();
    let last = "";
    while (performance.now() - startedAt < recoveryLimitMs) {
      try {
        const live = (await this.replicas()).filter((replica) => replica.live);
        const short = this.models.filter(
          (model) =>
            live.filter((r) => r.loaded.some((v) => v.model === model && v.state === LoadState.READY)).length <
            this.replicasOfEach,
        );
        if (short.length === 0) return performance.now() - startedAt;
        last = `${short.join(", ")} not on ${this.replicasOfEach} live replicas`;
      } catch (error) {
        last = (error as Error).message;
      }
      await this.wait(100);
    }
    throw new AimassError("DEADLINE_EXCEEDED", `Not recovered after ${recoveryLimitMs / 1000} s: ${last}.`);
  }
}
