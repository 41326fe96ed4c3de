import { FleetService, type Node, type ReplicaInfo } from "@aimass/api/scheduler";
import { allPages } from "./all-pages.ts";
import type { Connection } from "./connection.ts";

/** Every machine, and every replica without an agent, however many pages that takes. */
export async function wholeFleet(
  connection: Pick<Connection, "client">,
  options: { timeoutMs?: number } = {},
): Promise<{ nodes: Node[]; standaloneReplicas: ReplicaInfo[] }> {
  const client = connection.client(FleetService);
  const answers = await allPages(
    (page) => client.listNodes({ page }, options),
    (answer) => [answer],
  );
  return {
    nodes: answers.flatMap(({ nodes }) => nodes),
    standaloneReplicas: answers.flatMap(({ standaloneReplicas }) => standaloneReplicas),
  };
}
