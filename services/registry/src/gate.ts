import { AimassError, type Clock } from "@aimass/core";
import { formatResource, type PolicyStore } from "@aimass/identity";
import { callerOf, requireVerb } from "@aimass/rpc";
import type { HandlerContext } from "@connectrpc/connect";
import type { Actor } from "./actor.ts";
import { datasetNotFound, modelNotFound, projectNotFound } from "./errors.ts";
import type { ModelRow, Models } from "./models/models.ts";
import { type ModelName, projectOf, shorten } from "./names.ts";
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

  /** A verb on what has this name or will have it. Errors: PERMISSION_DENIED. */
  named(context: HandlerContext, name: ModelName, verb: string): void {
    requireVerb(context, this.#policy, verb, formatResource(name.project, name.model), this.#clock);
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

  /** A project in which something may be seen. Errors: NOT_FOUND when it is not there or nothing in it may be seen. */
  async seenProject(context: HandlerContext, named: string): Promise<ProjectRow> {
    const project = projectOf(named);
    const row = await this.#projects.find(project);
    if (row === undefined || !(this.reader(context).isService || this.maySeeProject(context, row)))
      throw projectNotFound(project);
    return row;
  }

  /** Someone who may make a version of any model in the project, or a dataset. Errors: like `project`. */
  async uploader(context: HandlerContext, named: string): Promise<{ project: string; actor: Actor }> {
    const project = projectOf(named);
    const { principal, mayUpload } = this.reader(context);
    const row = await this.#projects.find(project);
    if (row !== undefined && mayUpload(project)) return { project, actor: { id: principal } };
    if (row === undefined || !this.maySeeProject(context, row)) throw projectNotFound(project);
    // Asked for to be refused with it: what brings a model needs this verb, what brings a dataset the other.
    requireVerb(context, this.#policy, "version.create", project, this.#clock);
    return { project, actor: { id: principal } };
  }

  /**
   * Someone who may make a model of this name: in the project, and with no deny on the name. A name that is denied is refused before anybody looks whether
   * it is there. Errors: like `project`; PERMISSION_DENIED.
   */
  async newModel(context: HandlerContext, named: NamedModel): Promise<{ project: string; actor: Actor }> {
    const admitted = await this.project(context, named.project, "model.create");
    const resource = formatResource(admitted.project, named.model);
    const { may } = this.reader(context);
    if (may("model.create", resource) && may("model.view", resource)) return admitted;
    throw notThisName(admitted.actor.id, "model", resource);
  }

  /** Someone who may make a version of a dataset of this name, new or not. Errors: like `newModel`. */
  async newDataset(
    context: HandlerContext,
    named: { project: string; dataset: string },
  ): Promise<{ project: string; actor: Actor }> {
    const project = projectOf(named.project);
    const resource = formatResource(project, named.dataset);
    const { principal, may } = this.reader(context);
    if (!may("dataset.write", resource)) await this.project(context, project, "dataset.write");
    if ((await this.#projects.find(project)) === undefined) throw projectNotFound(project);
    if (may("dataset.write", resource) && may("dataset.view", resource)) return { project, actor: { id: principal } };
    throw notThisName(principal, "dataset", resource);
  }

  /** A verb on a dataset, by the project's rights and those on its name. Errors: NOT_FOUND when it may not be seen; PERMISSION_DENIED. */
  dataset(context: HandlerContext, name: { project: string; dataset: string }, verb: string): void {
    requireVerb(context, this.#policy, verb, formatResource(name.project, name.dataset), this.#clock, {
      hidden: true,
      notFound: datasetNotFound(name.project, name.dataset).message,
      viewVerb: "dataset.view",
    });
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
      mayUpload: (project) =>
        this.#policy.policy.allowsWithin(principal, "version.create", project, this.#clock.now()) ||
        this.#policy.policy.allowsWithin(principal, "dataset.write", project, this.#clock.now()),
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

/** The same whether something of this name is there or not. */
function notThisName(principal: string, kind: string, resource: string): AimassError {
  return new AimassError("PERMISSION_DENIED", `${principal} may not make a ${kind} named ${shorten(resource)}.`, {
    reason: "ACCESS_DENIED",
    remedy: "Take another name, or ask someone with grant.write on the project.",
  });
}
