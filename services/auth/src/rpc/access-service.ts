import type { AccessService, ExplainAccessRequest } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import { isProjectName, isVerb, type Principal, parseResource, principalKind } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { encodeGrant, type GrantRow } from "../access/grant-row.ts";
import { assertGrant, assertMayGive, verbsRemedy } from "../access/grant-rules.ts";
import type { Grants } from "../access/grants.ts";
import { type Page, readPage, toPage } from "../page.ts";
import { acknowledged, causeOf, type Guard } from "./context.ts";

export interface AccessServiceOptions {
  readonly guard: Guard;
  readonly grants: Grants;
}

export function createAccessService({ guard, grants }: AccessServiceOptions): ServiceImpl<typeof AccessService> {
  const { clock } = guard;
  const require = (context: HandlerContext, verb: string, resource: string) =>
    requireVerb(context, guard.policy, verb, resource, clock);
  const assertGives = (giver: Principal, grant: Pick<GrantRow, "level" | "verbs" | "resource">) =>
    assertMayGive(guard.policy.policy, giver, grant, clock.now());
  return {
    async putGrant({ grant }, context) {
      if (grant === undefined) throw new AimassError("INVALID_ARGUMENT", "There is no grant.", { field: "grant" });
      assertGrant(grant, clock.now());
      const giver = require(context, "grant.write", grant.resource);
      assertGives(giver, grant);
      const changed = await grants.put(grant, causeOf(context), (old) => assertGives(giver, old));
      return { grant: encodeGrant(changed.value), acknowledgement: await acknowledged(guard, changed) };
    },
    async deleteGrant({ id }, context) {
      const grant = await grants.find(id);
      if (grant !== undefined) assertGives(require(context, "grant.write", grant.resource), grant);
      const changed = await grants.delete(id, causeOf(context));
      return { acknowledgement: await acknowledged(guard, changed) };
    },
    async listGrants(request, context) {
      const { resource, subject } = request;
      if (resource !== "") require(context, "grant.read", resource);
      const { principal } = callerOf(context);
      const page = readPage(context, request);
      const mayRead = (row: GrantRow) => guard.policy.policy.allows(principal, "grant.read", row.resource, clock.now());
      const visible = await listVisible(grants, { resource, subject }, page, mayRead);
      const { rows, info } = toPage(visible, page, (row) => row.id);
      return { grants: rows.map(encodeGrant), page: info };
    },
    explainAccess(request, context) {
      assertQuestion(request);
      const { principal: caller } = callerOf(context);
      const id = request.principal === "" ? caller.id : request.principal;
      if (id !== caller.id) require(context, "grant.read", request.resource);
      const kind = principalKind(id);
      if (kind === undefined)
        throw new AimassError("INVALID_ARGUMENT", `"${id.slice(0, 100)}" is not a principal.`, { field: "principal" });
      const principal: Principal = { kind, id, groups: [], roles: [] };
      const decision = guard.policy.policy.decide(principal, request.verb, request.resource, clock.now());
      const { allowed, reason, grantId = "" } = decision;
      if (allowed || guard.policy.policy.allows(caller, "grant.read", request.resource, clock.now()))
        return { allowed, reason, grantId };
      // A deny names what it hides: who may not read grants there hears the same as of what nobody was granted.
      return { allowed, reason: `Nothing grants ${id} ${request.verb} on ${request.resource}.`, grantId: "" };
    },
    async putProjectPolicy({ project, maxSnapshotAgeSeconds }, context) {
      if (!isProjectName(project))
        throw new AimassError("INVALID_ARGUMENT", `"${project.slice(0, 100)}" is not a project.`, { field: "project" });
      if (maxSnapshotAgeSeconds !== undefined && maxSnapshotAgeSeconds < 0n)
        throw new AimassError("INVALID_ARGUMENT", "The age is below 0.", { field: "max_snapshot_age_seconds" });
      require(context, "project.manage", project);
      const changed = await grants.putProjectPolicy(project, maxSnapshotAgeSeconds, causeOf(context));
      return { acknowledgement: await acknowledged(guard, changed) };
    },
  };
}

/** One row more than the page holds, of those the caller may see. */
async function listVisible(
  grants: Grants,
  filter: { resource: string; subject: string },
  page: Page,
  mayRead: (row: GrantRow) => boolean,
): Promise<GrantRow[]> {
  const found: GrantRow[] = [];
  let after = page.after;
  while (found.length <= page.size) {
    const rows = await grants.list(filter, { size: 1000, after });
    found.push(...rows.slice(0, 1000).filter(mayRead));
    if (rows.length <= 1000) break;
    after = rows[999]?.id;
  }
  return found.slice(0, page.size + 1);
}

function assertQuestion({ verb, resource }: ExplainAccessRequest): void {
  if (!isVerb(verb))
    throw new AimassError("INVALID_ARGUMENT", `"${verb.slice(0, 100)}" is not a verb.`, {
      field: "verb",
      remedy: verbsRemedy,
    });
  if (parseResource(resource) === undefined)
    throw new AimassError("INVALID_ARGUMENT", `"${resource.slice(0, 200)}" is not a resource.`, { field: "resource" });
}
