import type { Pass } from "./pass.ts";
import type { DedicatedReplicaWant, DesiredDeployment, NodeState } from "./snapshot.ts";

/** Which replica processes agents should keep for models that want replicas of their own. Ordered by id. */
export function dedicateReplicas(pass: Pass, before: readonly DedicatedReplicaWant[]): DedicatedReplicaWant[] {
  const nodes = new Map(pass.snapshot.nodes.map((node) => [node.name, node]));
  const deployments = new Map(pass.deployments.filter((d) => d.dedicated).map((d) => [d.key, d]));
  const kept = before.filter((want) => {
    const inUse = pass.placements.on(want.id).length > 0 && pass.fleet.isPresent(want.id);
    return (
      inUse || (deployments.has(want.key) && isHosted(want, nodes, deployments.get(want.key) as DesiredDeployment))
    );
  });
  const result = [...kept];
  for (const deployment of deployments.values()) balance(pass, deployment, nodes, result);
  return result.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function isHosted(
  want: DedicatedReplicaWant,
  nodes: ReadonlyMap<string, NodeState>,
  deployment: DesiredDeployment,
): boolean {
  const node = nodes.get(want.node);
  const device = node?.devices.find((d) => d.id === want.deviceId);
  const fits = deployment.deviceKind === "" || device?.kind === deployment.deviceKind;
  return node !== undefined && node.presence !== "gone" && !node.draining && device !== undefined && fits;
}

/** Adds what is missing and takes away what is too much for one deployment, in place. */
function balance(
  pass: Pass,
  deployment: DesiredDeployment,
  nodes: ReadonlyMap<string, NodeState>,
  wants: DedicatedReplicaWant[],
): void {
  const counts = (want: DedicatedReplicaWant) =>
    want.key === deployment.key && pass.fleet.find(want.id)?.draining !== true && isHosted(want, nodes, deployment);
  const selfMade = pass.fleet
    .suitable(deployment)
    .filter((replica) => !wants.some((want) => want.id === replica.id)).length;
  let missing = deployment.replicas - selfMade - wants.filter(counts).length;
  for (; missing > 0; missing -= 1) {
    const want = pickDevice(pass, deployment, nodes, wants);
    if (want === undefined) return;
    wants.push(want);
  }
  for (const want of wants.filter(counts).reverse()) {
    if (missing >= 0) return;
    wants.splice(wants.indexOf(want), 1);
    missing += 1;
  }
}

/** The device with the fewest dedicated replicas on the node with the fewest of this model. A node that is drained gets none. */
function pickDevice(
  pass: Pass,
  deployment: DesiredDeployment,
  nodes: ReadonlyMap<string, NodeState>,
  wants: readonly DedicatedReplicaWant[],
): DedicatedReplicaWant | undefined {
  const options: { want: DedicatedReplicaWant; rank: [number, number] }[] = [];
  for (const node of [...nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const isOpen = node.presence === "attached" && !node.draining && !pass.fleet.isDrained(node.name);
    if (!isOpen || !hasRoom(pass, deployment, node)) continue;
    const onNode = wants.filter((want) => want.node === node.name && want.key === deployment.key).length;
    for (const device of node.devices) {
      const want = {
        id: `${node.name}/${device.id}/${deployment.key}`,
        node: node.name,
        deviceId: device.id,
        key: deployment.key,
      };
      const onDevice = wants.filter((other) => other.node === node.name && other.deviceId === device.id).length;
      const suits = deployment.deviceKind === "" || device.kind === deployment.deviceKind;
      if (suits && !wants.some((other) => other.id === want.id)) options.push({ want, rank: [onNode, onDevice] });
    }
  }
  options.sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1]);
  return options[0]?.want;
}

function hasRoom(pass: Pass, deployment: DesiredDeployment, node: NodeState): boolean {
  if (node.freeMemory === 0) return true;
  const needs = [...pass.rolesOf(deployment.key).keys()].map((version) => pass.ledger.bytesOf(deployment.key, version));
  return node.freeMemory >= Math.max(0, ...needs);
}
