import type { Migration } from "@aimass/store";

/** A removed project keeps its row, as its removed models do: their version numbers are never given out again. */
export const keepDeletedProjects: Migration = {
  name: "0006-deleted-projects",
  up: `
    alter table project add column deleted_at timestamptz;`,
};
