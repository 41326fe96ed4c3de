import { AimassError } from "@aimass/core";
import { defaultProject, formatResource, isModelName, isProjectName } from "@aimass/identity";

/** A model as requests name it, with its key "project.model". */
export interface ModelName {
  readonly project: string;
  readonly model: string;
  readonly key: string;
}

/** Reads the project and model of a request; an empty project is the default one. Throws INVALID_ARGUMENT. */
export function readModelName(request: { project: string; model: string }, path = ""): ModelName {
  const project = request.project === "" ? defaultProject : request.project;
  if (!isProjectName(project)) throw badName(`"${project}" is not the name of a project.`, `${path}project`);
  if (!isModelName(request.model)) throw badName(`"${request.model}" is not the name of a model.`, `${path}model`);
  return { project, model: request.model, key: formatResource(project, request.model) };
}

function badName(message: string, field: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", message, { field, remedy: 'Names have letters, digits, "-" and "_".' });
}
