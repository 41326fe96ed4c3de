import { AckPolicy, DeliverPolicy, type JetStreamManager, NatsError, nanos, RetentionPolicy, StorageType } from "nats";
import { retentionMs } from "./event-carrier.ts";

export const streamName = "AIMASS_EVENTS";

/** A message that is neither acknowledged nor worked on for this long goes to another process. */
export const ackWaitMs = 5_000;

const duplicateWindowMs = 30 * 60_000;
const streamNotFound = 10059;
const streamNameInUse = 10058;
const consumerNotFound = 10014;

/** Makes the stream unless it is there; one that an operator has set up differently is left as it is. */
export async function ensureStream(manager: JetStreamManager): Promise<void> {
  try {
    await manager.streams.info(streamName);
  } catch (error) {
    if (apiCode(error) !== streamNotFound) throw error;
    await addStream(manager);
  }
}

/** Makes the durable consumer unless it is there. One message at a time is under way, which keeps the order through redeliveries. */
export async function ensureConsumer(manager: JetStreamManager, name: string): Promise<void> {
  await ensureStream(manager);
  try {
    await manager.consumers.info(streamName, name);
  } catch (error) {
    if (apiCode(error) !== consumerNotFound) throw error;
    await manager.consumers.add(streamName, {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ackWaitMs),
      max_ack_pending: 1,
      max_deliver: -1,
    });
  }
}

async function addStream(manager: JetStreamManager): Promise<void> {
  try {
    await manager.streams.add({
      name: streamName,
      subjects: ["aimass.>"],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      max_age: nanos(retentionMs),
      duplicate_window: nanos(duplicateWindowMs),
    });
  } catch (error) {
    // Another process made it at the same moment.
    if (apiCode(error) !== streamNameInUse) throw error;
  }
}

function apiCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}
