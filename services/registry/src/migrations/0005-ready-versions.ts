import type { Migration } from "@aimass/store";

/** What may be served is counted up often, and by number. */
export const indexReadyVersions: Migration = {
  name: "0005-ready-versions",
  up: `
    create index version_ready_number on version (project, model, version) where state = 'READY';
    drop index version_ready;`,
};
