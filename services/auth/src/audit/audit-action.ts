import { Change, type DataRead, type Event } from "@aimass/api/events";

const changeNames: Readonly<Record<Change, string>> = {
  [Change.UNSPECIFIED]: "changed",
  [Change.CREATED]: "created",
  [Change.UPDATED]: "updated",
  [Change.DELETED]: "deleted",
};

/** What an event says was done, as "noun.verb": "alias.moved", "grant.put", "session.sign_in_failed". */
export function auditAction({ payload }: Event): string {
  switch (payload.case) {
    case "versionChanged":
      return `version.${payload.value.state.toLowerCase()}`;
    case "aliasMoved":
      return payload.value.rollback ? "alias.rolled_back" : "alias.moved";
    case "reviewDecided":
      return payload.value.approved ? "review.approved" : "review.refused";
    case "modelChanged":
      return `model.${changeNames[payload.value.change]}`;
    case "datasetCreated":
      return "dataset.created";
    case "datasetDeleted":
      return "dataset.deleted";
    case "dataRead":
      return readAction(payload.value);
    case "deploymentChanged":
      return `deployment.${changeNames[payload.value.change]}`;
    case "rolloutChanged":
      return `rollout.${payload.value.phase.toLowerCase()}`;
    case "quarantineChanged":
      return payload.value.quarantined ? "quarantine.set" : "quarantine.lifted";
    case "jobChanged":
      return `job.${payload.value.state.toLowerCase()}`;
    case "grantChanged":
      return payload.value.change === Change.DELETED ? "grant.deleted" : "grant.put";
    case "principalChanged":
      return `principal.${changeNames[payload.value.change]}`;
    case "apiKeyChanged":
      return payload.value.change === Change.DELETED ? "api_key.revoked" : "api_key.created";
    case "sessionEvent":
      return `session.${payload.value.kind}`;
    case "projectChanged":
      return `project.${changeNames[payload.value.change]}`;
    case undefined:
      return "unknown.changed";
    default:
      return payload satisfies never;
  }
}

function readAction({ preview, allowed }: DataRead): string {
  if (preview) return allowed ? "dataset.previewed" : "dataset.preview_refused";
  return allowed ? "artifact.read" : "artifact.read_refused";
}
