import { DatasetService, ModelService, ProjectService } from "@aimass/api/registry";
import { AimassError, closest } from "@aimass/core";
import { formatResource, parseResource } from "@aimass/identity";
import { allPages } from "./all-pages.ts";
import type { Connection } from "./connection.ts";

/**
 * Makes sure that a project, model, dataset or alias is there, as far as the caller may see: a right on a mistyped name is in force and means nothing.
 * A text that names nothing at all is left to the server. Errors: FAILED_PRECONDITION with the nearest name.
 */
export async function assertThere(connection: Connection, resource: string): Promise<void> {
  const named = parseResource(resource);
  if (named === undefined || named.project === "*") return;
  const { project, model, alias } = named;
  const projects = await projectNames(connection);
  if (!projects.includes(project)) throw missing("project", project, projects);
  if (model === undefined) return;
  const models = await modelsOf(connection, project);
  const found = models.find((candidate) => candidate.name === model);
  if (found === undefined) {
    const datasets = await datasetNames(connection, project);
    if (alias === undefined && datasets.includes(model)) return;
    const known = [...models.map(({ name }) => name), ...datasets].map((name) => formatResource(project, name));
    throw missing("model or dataset", formatResource(project, model), known);
  }
  const aliases = found.aliases.map(({ name }) => formatResource(project, model, name));
  if (alias !== undefined && !aliases.includes(resource)) throw missing("alias", resource, aliases);
}

async function projectNames(connection: Connection): Promise<string[]> {
  const client = connection.client(ProjectService);
  const all = await allPages(
    (page) => client.listProjects({ page }),
    (answer) => answer.projects,
  );
  return all.map(({ name }) => name);
}

async function modelsOf(connection: Connection, project: string) {
  const client = connection.client(ModelService);
  return await allPages(
    (page) => client.listModels({ project, page }),
    (answer) => answer.models,
  );
}

async function datasetNames(connection: Connection, project: string): Promise<string[]> {
  const client = connection.client(DatasetService);
  const all = await allPages(
    (page) => client.listDatasets({ project, page }),
    (answer) => answer.datasets,
  );
  return [...new Set(all.map(({ dataset }) => dataset))];
}

function missing(kind: string, name: string, known: readonly string[]): AimassError {
  const near = closest(name, known);
  const meant = near === undefined ? "" : ` Did you mean ${near}?`;
  return new AimassError("FAILED_PRECONDITION", `There is no ${kind} ${name} that you may see.${meant}`, {
    remedy: "Give --force for what is still to come.",
  });
}
