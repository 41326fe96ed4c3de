import { DatasetService, ModelService, type Project, ProjectService } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action, type CommandContext } from "./context.ts";
import { type DestroyOptions, destroy, destroys } from "./destroy.ts";

interface ProjectOptions {
  readonly description?: string;
  /** False for --no-review. */
  readonly review?: boolean;
}

export function addProjects(program: Command): void {
  const projects = program.command("projects").description("projects: list, show, create, update, delete");
  addList(projects);
  addShow(projects);
  addDelete(projects);
  addCreate(projects);
  addUpdate(projects);
}

function addList(projects: Command): void {
  projects
    .command("list")
    .description("projects you may see")
    .action(
      action(async ({ connection, output }) => {
        const all = await allPages(
          (page) => connection.client(ProjectService).listProjects({ page }),
          (answer) => answer.projects,
        );
        output.result(all, () =>
          table(
            ["PROJECT", "REVIEW", "CREATED", "DESCRIPTION"],
            all.map((p) => [p.name, p.reviewRequired ? "required" : "-", time(p.createdAt), p.description]),
          ),
        );
      }),
    );
}

function addShow(projects: Command): void {
  projects
    .command("show")
    .description("a project, with what is in it that you may see")
    .argument("<name>")
    .action(action((context, _options, [name]) => showProject(context, name as string)));
}

function addDelete(projects: Command): void {
  destroys(
    projects
      .command("delete")
      .description("remove a project without models and datasets, with its jobs, rules, quota and grants")
      .argument("<name>"),
  ).action(
    action<DestroyOptions>(async (context, options, [name = ""]) => {
      const client = context.connection.client(ProjectService);
      await destroy(context, options, {
        call: (validateOnly) => client.deleteProject({ name, validateOnly }),
        what: () => `the project ${name}, which has no models and datasets, with its jobs, rules, quota and grants`,
        done: () => `The project ${name} is gone.`,
      });
    }),
  );
}

function addCreate(projects: Command): void {
  withFields(projects.command("create").description("add a project")).action(
    action<ProjectOptions>(async ({ connection, output }, { description, review }, [name = ""]) => {
      const project = { name, description: description ?? "", reviewRequired: review ?? false };
      const answer = await connection.client(ProjectService).createProject({ project });
      output.result(answer.project, () => describe(answer.project));
    }),
  );
}

function addUpdate(projects: Command): void {
  withFields(projects.command("update").description("change what a project says and asks for")).action(
    action<ProjectOptions>(async ({ connection, output }, { description, review }, [name = ""]) => {
      if (description === undefined && review === undefined) {
        throw new AimassError("INVALID_ARGUMENT", "Nothing to change was named.", {
          remedy: "Say --review, --no-review or --description.",
        });
      }
      const answer = await connection.client(ProjectService).updateProject({
        name,
        ...(description !== undefined && { description }),
        ...(review !== undefined && { reviewRequired: review }),
      });
      output.result(answer.project, () => describe(answer.project));
    }),
  );
}

async function showProject({ connection, output }: CommandContext, name: string): Promise<void> {
  const { project } = await connection.client(ProjectService).getProject({ name });
  const [models, datasets] = await Promise.all([
    allPages(
      (page) => connection.client(ModelService).listModels({ project: name, page }),
      (answer) => answer.models,
    ),
    allPages(
      (page) => connection.client(DatasetService).listDatasets({ project: name, page }),
      (answer) => answer.datasets,
    ),
  ]);
  output.result({ ...project, models: models.map((m) => m.name), datasets: datasets.map((d) => d.dataset) }, () => [
    `${name}${project?.description ? `: ${project.description}` : ""}`,
    `created ${time(project?.createdAt)}; ${project?.reviewRequired ? "versions need a review" : "versions need no review"}`,
    `models: ${models.map((m) => m.name).join(", ") || "none that you may see"}`,
    `datasets: ${datasets.map((d) => d.dataset).join(", ") || "none that you may see"}`,
  ]);
}

function withFields(command: Command): Command {
  return command
    .argument("<name>", '"default" or another')
    .option("--description <text>", "for people")
    .option("--review", "somebody else must approve a version before an alias moves to it")
    .option("--no-review", "versions need no approval");
}

function describe(project: Project | undefined): string {
  return `${project?.name}: ${project?.reviewRequired ? "versions need a review" : "versions need no review"}.`;
}
