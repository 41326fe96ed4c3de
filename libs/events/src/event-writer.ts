import { type Event, EventSchema } from "@aimass/api/events";
import type { Clock } from "@aimass/core";
import { appendOutbox } from "@aimass/store";
import { currentTraceparent } from "@aimass/telemetry";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Transaction } from "kysely";
import { subjectOf } from "./event-subject.ts";
import { UuidV7Maker } from "./uuid-v7.ts";

/** An event before the writer fills in id, time, source and trace. */
export type EventInit = Omit<MessageInitShape<typeof EventSchema>, "source" | "$typeName">;

/** Puts events into the outbox of a service. A relay of that service signs and publishes them, in this process or another one. */
export class EventWriter {
  readonly #source: string;
  readonly #clock: Clock;
  readonly #ids: UuidV7Maker;

  /** `source` is the service whose outbox it is: "registry". */
  constructor(source: string, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.#ids = new UuidV7Maker(() => clock.now());
  }

  /** Writes the event in the caller's transaction; it is published once that commits, and lost with it. Returns it with id, time, source and trace filled in. */
  async publishFrom<Database>(tx: Transaction<Database>, init: EventInit): Promise<Event> {
    const event = create(EventSchema, { ...init, source: this.#source });
    event.id ||= this.#ids.next();
    event.occurredAt ??= timestampFromMs(this.#clock.now());
    event.traceparent ||= currentTraceparent() ?? "";
    await appendOutbox(tx, { id: event.id, subject: subjectOf(event), payload: toBinary(EventSchema, event) });
    return event;
  }
}
