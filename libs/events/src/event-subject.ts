import type { Event } from "@aimass/api/events";
import { AimassError } from "@aimass/core";

/** What an event tells: the name of its payload, for instance "aliasMoved". */
export type EventKind = NonNullable<Event["payload"]["case"]>;

/**
 * "aimass.registry.alias_moved".
 *
 * ### Errors
 * - `INVALID_ARGUMENT`: the event has no payload.
 */
export function subjectOf(event: Event): string {
  const kind = event.payload.case;
  if (kind === undefined) {
    throw new AimassError("INVALID_ARGUMENT", "An event needs a payload.", { field: "payload" });
  }
  return `aimass.${event.source}.${kind.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
}
