import { AimassError } from "@aimass/core";

const projectPattern = /^[a-z][a-z0-9_-]{0,63}$/;
const modelPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;
const principalPattern = /^[a-z][a-z0-9._-]{0,63}$/;

/** The project of a model that names none. */
export const defaultProject = "default";

/** The resource that stands for every project, and for the platform itself. */
export const everything = "*";

/** What a resource text names: "*", a project, a model in it, or an alias of that. */
export interface ResourceName {
  readonly project: string;
  readonly model?: string;
  readonly alias?: string;
}

/** Whether a text may name a project. */
export function isProjectName(text: string): boolean {
  return projectPattern.test(text);
}

/** Whether a text may name a model, an alias or a dataset. */
export function isModelName(text: string): boolean {
  return modelPattern.test(text);
}

/** Whether a text may name a user, a group or a service account. */
export function isPrincipalName(text: string): boolean {
  return principalPattern.test(text);
}

/**
 * Reads a model's name: "model" (project "default") or "project.model". Throws INVALID_ARGUMENT for anything else.
 */
export function parseModelName(text: string): { project: string; model: string } {
  const dot = text.indexOf(".");
  const project = dot < 0 ? defaultProject : text.slice(0, dot);
  const model = text.slice(dot + 1);
  if (!isProjectName(project) || !isModelName(model)) {
    throw new AimassError("INVALID_ARGUMENT", `"${text.slice(0, 200)}" is not the name of a model.`, {
      field: "model_name",
      remedy: 'Write "model" or "project.model", with letters, digits, "-" and "_".',
    });
  }
  return { project, model };
}

/** The text of a resource: "project", "project.model" or "project.model@alias". */
export function formatResource(project: string, model?: string, alias?: string): string {
  if (model === undefined || model === "") return project;
  return alias === undefined || alias === "" ? `${project}.${model}` : `${project}.${model}@${alias}`;
}

/** Reads a resource text; undefined when it is none. "*" gives the project "*". */
export function parseResource(text: string): ResourceName | undefined {
  if (text === everything) return { project: everything };
  const at = text.indexOf("@");
  const whole = at < 0 ? text : text.slice(0, at);
  const dot = whole.indexOf(".");
  const project = dot < 0 ? whole : whole.slice(0, dot);
  if (!isProjectName(project)) return undefined;
  if (dot < 0) return at < 0 ? { project } : undefined;
  const model = whole.slice(dot + 1);
  if (!isModelName(model)) return undefined;
  if (at < 0) return { project, model };
  const alias = text.slice(at + 1);
  return isModelName(alias) ? { project, model, alias } : undefined;
}

/** The resources whose grants reach a resource, widest first: "*", project, project.model, project.model@alias. */
export function enclosingResources(resource: string): readonly string[] {
  if (resource === everything) return [everything];
  const dot = resource.indexOf(".");
  if (dot < 0) return [everything, resource];
  const at = resource.indexOf("@", dot);
  const project = resource.slice(0, dot);
  return at < 0 ? [everything, project, resource] : [everything, project, resource.slice(0, at), resource];
}
