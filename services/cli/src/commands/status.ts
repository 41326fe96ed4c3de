import { DeploymentService, LoadState } from "@aimass/api/scheduler";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { wholeFleet } from "../client/whole-fleet.ts";
import { bytes, modelName } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action } from "./context.ts";
import { deploymentTable } from "./deploy.ts";

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("how the mesh is: router, machines, replicas, deployments")
    .action(
      action(async ({ connection, output, server }) => {
        const ready = (await connection.fetch("/v2/health/ready")).ok;
        const [deployments, fleet] = await Promise.all([
          allPages(
            (page) => connection.client(DeploymentService).listDeployments({ page }),
            (answer) => answer.deployments,
          ),
          wholeFleet(connection).catch(() => undefined),
        ]);
        const shown = connection.isSignedIn ? "" : " that everybody may see";
        const next = connection.isSignedIn ? "Try: aimass run model.onnx" : "Sign in with aimass login.";
        const replicas = [
          ...(fleet?.nodes.flatMap((node) => node.replicas) ?? []),
          ...(fleet?.standaloneReplicas ?? []),
        ];
        output.result({ server, ready, deployments, nodes: fleet?.nodes ?? [], replicas }, () => [
          `router      ${server} ${ready ? "is ready" : "is not ready"}`,
          ...(fleet === undefined ? ["machines    (you may not see them)"] : []),
          ...(fleet?.nodes ?? []).map(
            (n) =>
              `machine     ${n.name}: ${n.total?.cpus ?? 0} CPUs, ${bytes(n.free?.memoryBytes ?? 0n)} of ${bytes(n.total?.memoryBytes ?? 0n)} memory free, ${n.devices.map((d) => d.id).join(", ")}`,
          ),
          "",
          ...(replicas.length === 0
            ? [`No replicas${fleet === undefined ? " that you may see" : ""}.`]
            : table(
                ["REPLICA", "ADDRESS", "STATE", "MEMORY", "HOLDS"],
                replicas.map((r) => [
                  r.id,
                  r.address,
                  r.live ? (r.draining ? "draining" : "live") : "gone",
                  bytes(r.memoryBytesUsed),
                  r.loaded
                    .map(
                      (v) =>
                        `${modelName(v.project, v.model)} v${v.version}${v.state === LoadState.READY ? "" : ` (${LoadState[v.state].toLowerCase()})`}${v.batchLimit === "" ? "" : ` (batches up to ${v.maxBatchSize}: ${v.batchLimit})`}`,
                    )
                    .join(", "),
                ]),
              )),
          "",
          ...(deployments.length === 0 ? [`Nothing is deployed${shown}. ${next}`] : deploymentTable(deployments)),
        ]);
        if (!ready) process.exitCode = 1;
      }),
    );
}
