import type { Migration } from "@aimass/store";

/** When a rule was last set: what happened to its author before does not concern it. */
export const retrainingSetAt: Migration = {
  name: "0005-retraining-set-at",
  up: "alter table retraining add column set_at timestamptz not null default clock_timestamp();",
};
