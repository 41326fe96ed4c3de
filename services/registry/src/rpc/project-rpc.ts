import { type Project, ProjectSchema, type ProjectService } from "@aimass/api/registry";
import { readPage } from "@aimass/rpc";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Gate } from "../gate.ts";
import { fillPage, pageInfo } from "../pages.ts";
import type { ProjectRow, Projects } from "../projects/projects.ts";

export function projectRpc({ gate, projects }: { gate: Gate; projects: Projects }): ServiceImpl<typeof ProjectService> {
  return {
    async createProject(request, context) {
      const actor = gate.platform(context, "project.create");
      const plan = request.project ?? create(ProjectSchema);
      return { project: encode(await projects.create(actor, plan)) };
    },
    async updateProject({ name, description, reviewRequired }, context) {
      const { project, actor } = await gate.project(context, name, "project.manage");
      return { project: encode(await projects.update(actor, project, { description, reviewRequired })) };
    },
    async getProject({ name }, context) {
      return { project: encode(await gate.seenProject(context, name)) };
    },
    async deleteProject({ name, validateOnly }, context) {
      const { project, actor } = await gate.project(context, name, "project.manage");
      return { project: encode(await projects.remove(actor, project, validateOnly)) };
    },
    async listProjects(request, context) {
      const page = readPage(context, request, 1);
      const slice = await fillPage(page, (after, limit) => projects.list(after?.[0], limit), {
        key: (row) => [row.name],
        admit: (row) => gate.maySeeProject(context, row),
      });
      return { projects: slice.items.map(encode), page: pageInfo(page, slice) };
    },
  };
}

function encode(row: ProjectRow): Project {
  return create(ProjectSchema, {
    name: row.name,
    description: row.description,
    reviewRequired: row.review_required,
    createdAt: timestampFromDate(row.created_at),
  });
}
