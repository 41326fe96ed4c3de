import { Change, type Event } from "@aimass/api/events";
import type { EventBus } from "@aimass/events";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { DeletedProjects } from "./jobs/deleted-projects.ts";
import type { PostgresRetrainings } from "./retrainings/postgres-retrainings.ts";

/** Who sees to what changes elsewhere. */
export interface Concerned {
  readonly retrainings: Pick<PostgresRetrainings, "noteVersion" | "noteGone" | "pauseOf">;
  readonly deletedProjects: Pick<DeletedProjects, "forget">;
}

/**
 * Hears of new and deleted data, deleted authors and deleted projects until the signal aborts. One consumer for all: what a service's consumers are called is part of its rights at the
 * carrier (`consumersOf` of @aimass/events).
 */
export function hearChanges(bus: EventBus, concerned: Concerned, signal: AbortSignal): Promise<void> {
  return bus.subscribe({
    consumer: "trainer-retraining",
    kinds: ["datasetCreated", "datasetDeleted", "principalChanged", "projectChanged"],
    signal,
    handle: (event) => meetChange(concerned, event),
  });
}

async function meetChange({ retrainings, deletedProjects }: Concerned, event: Event): Promise<void> {
  const { payload, source, occurredAt } = event;
  if (payload.case === "datasetCreated") return retrainings.noteVersion(payload.value);
  if (occurredAt === undefined) return;
  const at = timestampDate(occurredAt);
  // Whoever else may sign events has no say in what is deleted.
  if (source === "auth" && payload.case === "principalChanged" && payload.value.change === Change.DELETED)
    return retrainings.pauseOf(payload.value.principal, at);
  if (source === "registry" && payload.case === "datasetDeleted" && payload.value.version === 0n)
    return retrainings.noteGone(payload.value, at);
  if (source === "registry" && payload.case === "projectChanged" && payload.value.change === Change.DELETED)
    return deletedProjects.forget(payload.value.project, at);
}
