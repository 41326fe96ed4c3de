import type { Store } from "@aimass/store";
import type { Generated, JSONColumnType, Transaction } from "kysely";

/** Rows of the schema "scheduler"; `bigint` columns are read as text. */
export interface SchedulerDatabase {
  deployment: { key: string; spec: Uint8Array; etag: string; created_by: string; created_at: Generated<Date> };
  deployment_history: { id: Generated<string>; key: string; at: Generated<Date>; actor: string; entry: Uint8Array };
  node: { name: string; info: Uint8Array; attachment: string; lease_until: Date; detached_at: Date | null };
  drained_node: { name: string; since: Generated<Date> };
  replica: {
    id: string;
    incarnation: string;
    info: Uint8Array;
    attachment: string;
    lease_until: Date;
    detached_at: Date | null;
    draining: Generated<boolean>;
  };
  crash: { key: string; version: Int8; replica: string; incarnation: string; at: Date };
  quarantine: { key: string; version: Int8; crashes: number; since: Generated<Date> };
  deployment_status: { key: string; status: Uint8Array };
  placement: { key: string; version: Int8; replica: string; stands_in_for: string | null; released_at: Int8 | null };
  rollout: { key: string; alias: string; served: Int8; previous: JSONColumnType<number[]> };
  admission: { key: string; version: Int8; parity: JSONColumnType<Record<string, string>> };
  dedicated_replica: { id: string; node: string; device_id: string; key: string };
  library_model: { key: string; digest: string; model: Uint8Array };
  route_head: { epoch: string; version: Int8; digest: Uint8Array; history_from: Int8; leader_token: Int8 };
  route_entry: { key: string; entry: Uint8Array; version: Int8 };
  route_removed: { key: string; version: Int8 };
}

/** pg gives 64-bit integers as text and takes numbers. */
type Int8 = import("kysely").ColumnType<string, number | bigint | string, number | bigint | string>;

export type SchedulerStore = Store<SchedulerDatabase>;
export type SchedulerTransaction = Transaction<SchedulerDatabase>;
