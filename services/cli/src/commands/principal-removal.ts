import type { Acknowledgement, PrincipalHoldings } from "@aimass/api/auth";
import { acknowledged } from "../output/acknowledged.ts";
import type { CommandContext } from "./context.ts";
import { type DestroyOptions, destroy } from "./destroy.ts";

interface Removal {
  readonly holdings?: PrincipalHoldings | undefined;
  readonly acknowledgement?: Acknowledgement | undefined;
}

/** `users delete` and `service-accounts delete`. */
export async function destroyPrincipal(
  context: CommandContext,
  options: DestroyOptions,
  o: { principal: string; call: (validateOnly: boolean) => Promise<Removal> },
): Promise<void> {
  await destroy(context, options, {
    call: o.call,
    what: ({ holdings }) => `${o.principal} with ${describe(holdings)}`,
    done: ({ acknowledgement }) => [`${o.principal} is gone.`, acknowledged(acknowledgement)],
  });
}

function describe(holdings: PrincipalHoldings | undefined): string {
  const { groups = [], grants = 0, keyIds = [], sessions = 0 } = holdings ?? {};
  const memberships = groups.length === 0 ? "no groups" : `the groups ${groups.join(", ")}`;
  return `${grants} grants, ${keyIds.length} API keys, ${sessions} sessions, ${memberships}`;
}
