import { type Project, ProjectService } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action } from "./context.ts";

interface ProjectOptions {
  readonly description?: string;
  /** False for --no-review. */
  readonly review?: boolean;
}

export function addProjects(program: Command): void {
  const projects = program.command("projects").description("projects: list, create, update");
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
  withFields(projects.command("create").description("add a project")).action(
    action<ProjectOptions>(async ({ connection, output }, { description, review }, [name = ""]) => {
      const project = { name, description: description ?? "", reviewRequired: review ?? false };
      const answer = await connection.client(ProjectService).createProject({ project });
      output.result(answer.project, () => describe(answer.project));
    }),
  );
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
