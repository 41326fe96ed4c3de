export {
  type EventBus,
  type EventBusOptions,
  type EventInit,
  openEventBus,
  type SubscribeOptions,
} from "./event-bus.ts";
export type { EventKind } from "./event-subject.ts";
export { UuidV7Maker } from "./uuid-v7.ts";
