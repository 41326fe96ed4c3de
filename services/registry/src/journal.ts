import type { Event } from "@aimass/api/events";
import type { EventBus } from "@aimass/events";
import type { Actor } from "./actor.ts";
import type { Transaction } from "./database.ts";

/** Something that happened. */
export interface Happening {
  readonly actor: Actor;
  /** What it is about: "default.fraud@live". */
  readonly resource: string;
  /** True for acts of governance: they go into the audit ledger. */
  readonly audited: boolean;
  readonly payload: Event["payload"];
}

/** Tells what happened, in the transaction that makes it so: it is told when that commits, and only then. */
export type Journal = (tx: Transaction, happening: Happening) => Promise<void>;

/** A journal that publishes on the bus. */
export function busJournal(bus: EventBus): Journal {
  return async (tx, { actor, resource, audited, payload }) => {
    await bus.publishFrom(tx, { actor: actor.id, resource, audited, payload });
  };
}
