export {
  type EventBus,
  type EventBusOptions,
  openEventBus,
  type SubscribeOptions,
} from "./event-bus.ts";
export type { EventKind } from "./event-subject.ts";
export { type EventInit, EventWriter } from "./event-writer.ts";
export { makeNatsPasswords, type NatsPasswords, natsRoles, natsServerConfig, natsUrl } from "./nats-access.ts";
export { shareEvents } from "./postgres-access.ts";
export { UuidV7Maker } from "./uuid-v7.ts";
