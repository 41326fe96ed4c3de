import type { Migration } from "@aimass/store";

/** Who brought the bytes of an artifact, for which project and when: that, for a while, lets them read it. Naming an artifact only keeps it. */
export const noteUploaders: Migration = {
  name: "0004-uploaders",
  up: `
    alter table artifact_hold add column uploaded_project text, add column uploaded_at timestamptz;`,
};
