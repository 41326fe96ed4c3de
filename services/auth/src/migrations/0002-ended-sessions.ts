import type { Migration } from "@aimass/store";

/** Sessions that the policy names as ended, while access tokens of them may still be about. */
export const announceEndedSessions: Migration = {
  name: "0002-ended-sessions",
  up: `
    alter table session add column announced boolean not null default false;
    create index on session (id) where announced;`,
};
