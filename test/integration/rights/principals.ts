import { Effect, Level } from "@aimass/api/auth";
import { enclosingResources, type LevelName, levelNames, levelVerbs, roleVerbs } from "@aimass/identity";

/** A grant as the matrix gives it. */
export interface MatrixGrant {
  readonly resource: string;
  readonly level: Exclude<Level, Level.UNSPECIFIED>;
  readonly effect?: Effect;
}

/** Somebody who tries everything. */
export interface MatrixPrincipal {
  readonly name: string;
  readonly kind: "admin" | "anonymous" | "user" | "group member" | "service account";
  readonly grants: readonly MatrixGrant[];
}

const grant = (level: MatrixGrant["level"], resource: string): MatrixGrant => ({ resource, level });

/** One of each way to have rights on the model "default.m" with its aliases "default" and "live", and ways to have none. */
export const principals: readonly MatrixPrincipal[] = [
  { name: "admin", kind: "admin", grants: [] },
  { name: "anonymous", kind: "anonymous", grants: [] },
  { name: "pviewer", kind: "user", grants: [grant(Level.VIEW, "default")] },
  { name: "peditor", kind: "user", grants: [grant(Level.EDIT, "default")] },
  { name: "pmanager", kind: "user", grants: [grant(Level.MANAGE, "default")] },
  { name: "mdeployer", kind: "user", grants: [grant(Level.DEPLOY, "default.m")] },
  { name: "acaller", kind: "user", grants: [grant(Level.INFER, "default.m@live")] },
  { name: "member", kind: "group member", grants: [grant(Level.EDIT, "default.m")] },
  {
    name: "denied",
    kind: "user",
    grants: [grant(Level.MANAGE, "default"), { ...grant(Level.MANAGE, "default.m"), effect: Effect.DENY }],
  },
  { name: "nobody", kind: "user", grants: [] },
  { name: "program", kind: "service account", grants: [grant(Level.INFER, "default.m")] },
];

/** Whether somebody may do a verb on a resource: said once more, by the rules alone. */
export type May = (verb: string, resource: string) => boolean;

/** The rules: an admin may everything; a deny on the thing or on what holds it wins over every allow; without an allow there is none. */
export function rightsOf({ kind, grants }: MatrixPrincipal): May {
  if (kind === "admin") return (verb) => roleVerbs.admin.has(verb);
  return (verb, resource) => {
    const reaching = enclosingResources(resource);
    const matching = grants.filter(
      (each) => reaching.includes(each.resource) && levelVerbs[levelNames[each.level - 1] as LevelName].has(verb),
    );
    return matching.length > 0 && matching.every((each) => each.effect !== Effect.DENY);
  };
}

/** Whether somebody may do a verb on anything inside a project, for what lists projects. */
export function mayWithin(principal: MatrixPrincipal, verb: string, project: string): boolean {
  const may = rightsOf(principal);
  return (
    may(verb, project) ||
    principal.grants.some((each) => each.resource.startsWith(`${project}.`) && may(verb, each.resource))
  );
}
