/** Every verb that is enforced somewhere. */
export const verbs = [
  "model.view",
  "model.infer",
  "model.create",
  "model.delete",
  "version.create",
  "version.review_request",
  "version.review",
  "version.retire",
  "alias.move",
  "deployment.view",
  "deployment.write",
  "dataset.view",
  "dataset.read",
  "dataset.write",
  "dataset.delete",
  "job.view",
  "job.create",
  "code.run",
  "artifact.read",
  "grant.read",
  "grant.write",
  "project.create",
  "project.manage",
  "node.view",
  "node.manage",
  "directory.read",
  "directory.manage",
  "audit.read",
] as const;

/** What may be done. */
export type Verb = (typeof verbs)[number];

/** The levels people see, lowest first; each holds the verbs of those before it. */
export const levelNames = ["view", "infer", "edit", "deploy", "manage"] as const;

/** The name of a level. */
export type LevelName = (typeof levelNames)[number];

/** Platform roles, given to users by admins. */
export const roleNames = ["admin", "operator", "auditor"] as const;

/** The name of a platform role. */
export type RoleName = (typeof roleNames)[number];

const view: readonly Verb[] = ["model.view", "dataset.view", "deployment.view", "job.view"];
const infer: readonly Verb[] = [...view, "model.infer"];
const edit: readonly Verb[] = [
  ...infer,
  "model.create",
  "version.create",
  "version.review_request",
  "dataset.read",
  "dataset.write",
  "job.create",
  "artifact.read",
];
const deploy: readonly Verb[] = [...edit, "alias.move", "version.review", "deployment.write"];
const manage: readonly Verb[] = [
  ...deploy,
  "grant.read",
  "grant.write",
  "model.delete",
  "dataset.delete",
  "version.retire",
  "project.manage",
];

/** The verbs of each level. */
export const levelVerbs: Readonly<Record<LevelName, ReadonlySet<string>>> = {
  view: new Set(view),
  infer: new Set(infer),
  edit: new Set(edit),
  deploy: new Set(deploy),
  manage: new Set(manage),
};

/** The verbs of each platform role, on every resource. */
export const roleVerbs: Readonly<Record<RoleName, ReadonlySet<string>>> = {
  admin: new Set(verbs),
  operator: new Set([...view, "deployment.write", "node.view", "node.manage", "project.create"]),
  auditor: new Set([...view, "audit.read", "directory.read", "grant.read", "node.view"]),
};

/** What the services of the mesh may do in their own name. Anything else they do on behalf of a principal. */
export const serviceVerbs: ReadonlyMap<string, ReadonlySet<string>> = new Map<string, ReadonlySet<string>>([
  ["auth", new Set(["model.view", "dataset.view"])],
  ["registry", new Set([...view, "artifact.read"])],
  [
    "trainer",
    new Set([...view, "dataset.read", "artifact.read", "model.create", "version.create", "version.review_request"]),
  ],
  ["scheduler", new Set([...view, "artifact.read", "deployment.write", "node.view", "node.manage"])],
  // Reads what a scheduler grants, by artifact.
  ["inference", new Set()],
  ["router", new Set(["model.view", "deployment.view", "node.view"])],
  ["console", new Set()],
  ["cli-supervisor", new Set([...view, "node.view"])],
]);

/** Whether a text is a verb that is enforced somewhere. */
export function isVerb(text: string): text is Verb {
  return roleVerbs.admin.has(text);
}
