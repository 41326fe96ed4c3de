import type { ReplicaExit, ReplicaInfo } from "@aimass/api/scheduler";
import { AimassError } from "@aimass/core";
import type { ServiceSender } from "@aimass/identity";

/** Makes sure that a machine with a key of its own tells of itself alone. Throws PERMISSION_DENIED (OTHER_NODE). */
export function assertOwnNode({ node: own }: ServiceSender, node: string): void {
  if (own === undefined || node === own) return;
  throw new AimassError("PERMISSION_DENIED", `The node ${own} may not speak for the node ${node.slice(0, 100)}.`, {
    reason: "OTHER_NODE",
    remedy: `Give that node a key of its own: aimass admin add-node ${node.slice(0, 100)}`,
  });
}

/** The same of a replica: its id begins with the machine's name. */
export function assertOwnReplica(sender: ServiceSender, id: string): void {
  assertOwnNode(sender, id.split("/", 1)[0] ?? "");
}

/** The same of a replica's report. */
export function assertOwnReport(sender: ServiceSender, replica: Pick<ReplicaInfo, "id" | "node"> | undefined): void {
  assertOwnReplica(sender, replica?.id ?? "");
  assertOwnNode(sender, replica?.node ?? "");
}

/** The same of replicas that died. */
export function assertOwnExits(sender: ServiceSender, exits: readonly Pick<ReplicaExit, "replicaId">[]): void {
  for (const { replicaId } of exits) assertOwnReplica(sender, replicaId);
}
