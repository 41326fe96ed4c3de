import type { ReadGrant } from "@aimass/api/registry";
import type { Assignment, GrantReadRequest } from "@aimass/api/scheduler";
import { AimassError, type Clock } from "@aimass/core";
import { type ServiceIdentity, type ServiceSender, signReadGrant } from "@aimass/identity";
import type { ReadWanted } from "./wanted-feed.ts";

/** Signs what a replica's machine may read: the files of what is assigned to the replica now. */
export class ReadGrants {
  readonly #identity: ServiceIdentity;
  readonly #read: ReadWanted<Assignment>;
  readonly #clock: Clock;

  constructor(options: { identity: ServiceIdentity; read: ReadWanted<Assignment>; clock: Clock }) {
    this.#identity = options.identity;
    this.#read = options.read;
    this.#clock = options.clock;
  }

  /** Errors: PERMISSION_DENIED (NOT_ASSIGNED). */
  async grant(sender: ServiceSender, asked: GrantReadRequest): Promise<ReadGrant> {
    const { replicaId, project, model, version } = asked;
    const wanted = (await this.#read([replicaId])).get(replicaId) ?? [];
    const assigned = wanted
      .map(({ item }) => item.version)
      .find((one) => one?.project === project && one.model === model && one.version === version);
    if (assigned === undefined) {
      throw new AimassError("PERMISSION_DENIED", `${project}.${model}:${version} is not assigned to ${replicaId}.`, {
        reason: "NOT_ASSIGNED",
        remedy: "A replica may read what AttachReplica assigned to it, as long as it does.",
      });
    }
    const sha256 = assigned.files.map((file) => file.sha256);
    return signReadGrant(this.#identity, { node: sender.node, project, model, version, sha256 }, this.#clock.now());
  }
}
