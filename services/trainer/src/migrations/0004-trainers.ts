import type { Migration } from "@aimass/store";

/** Who runs jobs, and how many devices it has for them. */
export const trainers: Migration = {
  name: "0004-trainers",
  up: `
    create table trainer (
      holder text primary key,
      gpus int not null,
      seen_at timestamptz not null default clock_timestamp()
    );
  `,
};
