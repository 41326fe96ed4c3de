import type { Migration } from "@aimass/store";

/** When a project's policy was set: it goes with the project that was there then, and none of a later one of its name does. */
export const noteWhenPoliciesWereSet: Migration = {
  name: "0005-project-policy-set-at",
  up: "alter table project_policy add column set_at timestamptz not null default clock_timestamp();",
};
