import { execSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { AimassError } from "@aimass/core";
import { childProcessesOf } from "../up/child-processes.ts";
import type { Mesh } from "../up/mesh.ts";

/** The mesh a demo is shown on. */
export interface DemoTarget {
  readonly url: string;
  /** The administrator's password of the first start; undefined when it is not there any more. */
  adminPassword(): string | undefined;
  /** Ends one replica process with SIGKILL. */
  killReplica(): Promise<void>;
}

/** The embedded mesh. */
export function embeddedTarget(mesh: Mesh): DemoTarget {
  return {
    url: mesh.url(),
    adminPassword: () => mesh.adminPassword(),
    async killReplica() {
      const agent = mesh.processes.get("agent")?.pid;
      const victim =
        agent === undefined
          ? undefined
          : childProcessesOf(agent).find((child) => child.command.includes("replica-main"));
      if (victim === undefined) throw new AimassError("INTERNAL", "No replica process was found to kill.");
      process.kill(victim.pid, "SIGKILL");
    },
  };
}

/** A mesh that runs elsewhere, for instance in containers. `killCommand` is what ends one of its replicas. */
export function remoteTarget(o: { url: string; passwordFile: string; killCommand: string }): DemoTarget {
  return {
    url: o.url,
    adminPassword: () => readFileSync(o.passwordFile, "utf8").trim(),
    async killReplica() {
      execSync(o.killCommand, { stdio: "ignore" });
    },
  };
}
