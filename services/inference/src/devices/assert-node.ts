import { AimassError } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";

/** A machine shows its own key: the schedulers refuse it under another name. Throws FAILED_PRECONDITION. */
export function assertNode({ node }: Pick<ServiceIdentity, "node">, named: string): void {
  if (node === undefined || node === named) return;
  throw new AimassError(
    "FAILED_PRECONDITION",
    `The identity file is the node ${node}'s, and AIMASS_NODE is ${named}.`,
    {
      reason: "OTHER_NODE",
      remedy: `Set AIMASS_NODE=${node}, or give this machine a key of its own: aimass admin add-node ${named}`,
    },
  );
}
