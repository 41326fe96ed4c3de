export {
  contended,
  fromDatabaseError,
  isDatabaseUnavailable,
  isForeignKeyViolation,
  isRetryable,
  isUniqueViolation,
} from "./database-error.ts";
export { holdLease, type LeaseOptions } from "./lease.ts";
export type { Migration } from "./migrations.ts";
export { appendOutbox, type DrainResult, drainOutbox, type OutboxEntry, outboxChannel } from "./outbox.ts";
export { connectionSettings, openSession } from "./pool.ts";
export { assertSchema } from "./prepare-schema.ts";
export { assignSchemas, ownerRole, type SchemaOwner } from "./schema-owners.ts";
export { openStore, type Store, type TransactionOptions } from "./store.ts";
export type { StoreOptions } from "./store-options.ts";
