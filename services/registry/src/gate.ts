import { AimassError, type Clock } from "@aimass/core";
import { formatResource, type PolicyStore } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import type { HandlerContext } from "@connectrpc/connect";
import type { Actor } from "./actor.ts";
import { modelNotFound, projectNotFound } from "./errors.ts";
import type { ModelRow, Models } from "./models/models.ts";
import { type ModelName, projectOf } from "./names.ts";
import type { ProjectRow, Projects } from "./projects/projects.ts";
import type { Reader } from "./reader.ts";

/** A model as a request names it. */
interface NamedModel {
  readonly project: string;
  readonly model: string;
  /** Of a request about an alias. */
  readonly alias?: string;
}

/** What a call that was let in may go on with. */
export interface Admitted extends ModelName {
  readonly actor: Actor;
  readonly row: ModelRow;
}

/**
 * Lets calls in: every RPC passes here once. The thing is looked up before the policy is asked, whether or not it is there, so that a thing that may not be
 * seen and one that does not exist take the same way and get the same answer.
 */
export class Gate {
  readonly #policy: PolicyStore;
  readonly #clock: Clock;
  readonly #projects: Projects;
  readonly #models: Models;

  constructor(options: { policy: PolicyStore; clock: Clock; projects: Projects; models: Models }) {
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#projects = options.projects;
    this.#models = options.models;
  }

  /** A verb that is not about any one thing. Errors: PERMISSION_DENIED, UNAUTHENTICATED. */
  platform(context: HandlerContext, verb: string): Actor {
    return { id: requireVerb(context, this.#policy, verb, "*", this.#clock).id };
  }

  /** A verb on a model, or on one of its aliases. Errors: NOT_FOUND when it is not there or may not be seen; PERMISSION_DENIED. */
  async model(context: HandlerContext, named: NamedModel, verb: string): Promise<Admitted> {
    const name = { project: projectOf(named.project), model: named.model };
    const row = await this.#models.find(name);
    const hidden = modelNotFound(name);
    if (row === undefined) throw hidden;
    const resource = formatResource(name.project, name.model, named.alias);
    const { id } = requireVerb(context, this.#policy, verb, resource, this.#clock, {
      hidden: true,
      notFound: hidden.message,
    });
    return { ...name, actor: { id }, row };
  }

  /** A verb on a project. Errors: NOT_FOUND when it is not there or nothing in it may be seen; PERMISSION_DENIED. */
  async project(context: HandlerContext, named: string, verb: string): Promise<{ project: string; actor: Actor }> {
    const project = projectOf(named);
    const row = await this.#projects.find(project);
    if (row === undefined) throw projectNotFound(project);
    const reader = this.reader(context);
    if (!reader.may(verb, project) && !this.maySeeProject(context, row)) throw projectNotFound(project);
    const { id } = requireVerb(context, this.#policy, verb, project, this.#clock);
    return { project, actor: { id } };
  }

  /** Someone who may make a version of any model in the project, or a dataset. Errors: like `project`. */
  async uploader(context: HandlerContext, named: string): Promise<{ project: string; actor: Actor }> {
    const project = projectOf(named);
    const { principal } = callerOf(context);
    const within = this.#policy.policy.allowsWithin(principal, "version.create", project, this.#clock.now());
    if (within && (await this.#projects.find(project)) !== undefined) return { project, actor: { id: principal.id } };
    return this.project(context, named, "dataset.write");
  }

  /** For lists: whether a model may be seen. */
  maySeeModel(context: HandlerContext, name: ModelName): boolean {
    return this.reader(context).may("model.view", formatResource(name.project, name.model));
  }

  /** For lists: whether a project, or anything in it, may be seen. */
  maySeeProject(context: HandlerContext, row: Pick<ProjectRow, "name">): boolean {
    const { principal } = callerOf(context);
    return this.#policy.policy.allowsWithin(principal, "model.view", row.name, this.#clock.now());
  }

  /** The caller as someone who wants to read. */
  reader(context: HandlerContext): Reader {
    const { principal } = callerOf(context);
    return {
      principal: principal.id,
      isService: principal.kind === "service",
      may: (verb, resource) => this.#policy.policy.allows(principal, verb, resource, this.#clock.now()),
    };
  }

  /** Only services of these roles, in their own name. Errors: PERMISSION_DENIED. */
  service(context: HandlerContext, roles: readonly string[]): void {
    const { principal } = callerOf(context);
    if (roles.some((role) => principal.id === `service:${role}`)) return;
    throw new AimassError("PERMISSION_DENIED", `${principal.id} may not call this; it is for ${roles.join(" and ")}.`, {
      reason: "SERVICE_ROLE",
    });
  }
}
