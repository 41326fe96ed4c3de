import { Change, type Event, type EventSchema } from "@aimass/api/events";
import type { EventWriter } from "@aimass/events";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AuthTransaction, Cause } from "./database.ts";

type Payload = NonNullable<MessageInitShape<typeof EventSchema>["payload"]>;

/** What happened to a thing. */
export type ChangeName = "created" | "updated" | "deleted";

const changes = { created: Change.CREATED, updated: Change.UPDATED, deleted: Change.DELETED } as const;

/** The events of this service, each written in the transaction of the change it tells of. All are audited. */
export class AuthEvents {
  readonly #bus: Pick<EventWriter, "publishFrom">;

  constructor(bus: Pick<EventWriter, "publishFrom">) {
    this.#bus = bus;
  }

  session(
    tx: AuthTransaction,
    cause: Cause,
    value: { kind: string; principal: string; sessionId?: string },
  ): Promise<Event> {
    return this.#publish(tx, cause, value.principal, { case: "sessionEvent", value });
  }

  principal(
    tx: AuthTransaction,
    cause: Cause,
    what: { principal: string; change: ChangeName; detail: string },
  ): Promise<Event> {
    const value = { ...what, change: changes[what.change] };
    return this.#publish(tx, cause, what.principal, { case: "principalChanged", value });
  }

  apiKey(
    tx: AuthTransaction,
    cause: Cause,
    what: { keyId: string; principal: string; change: ChangeName },
  ): Promise<Event> {
    const value = { ...what, change: changes[what.change] };
    return this.#publish(tx, cause, what.principal, { case: "apiKeyChanged", value });
  }

  grant(
    tx: AuthTransaction,
    cause: Cause,
    what: {
      grantId: string;
      subject: string;
      resource: string;
      level: string;
      verbs: string[];
      effect: string;
      change: ChangeName;
    },
  ): Promise<Event> {
    const value = { ...what, change: changes[what.change] };
    return this.#publish(tx, cause, what.resource, { case: "grantChanged", value });
  }

  project(tx: AuthTransaction, cause: Cause, project: string): Promise<Event> {
    return this.#publish(tx, cause, project, { case: "projectChanged", value: { project, change: Change.UPDATED } });
  }

  #publish(tx: AuthTransaction, cause: Cause, resource: string, payload: Payload): Promise<Event> {
    return this.#bus.publishFrom(tx, { ...cause, resource, audited: true, payload });
  }
}
