import type { Migration } from "@aimass/store";

/** Devices that jobs ask for. */
export const devices: Migration = {
  name: "0003-devices",
  up: `
    alter table job add column gpus int not null default 0;
    -- While one waits for devices, those without are looked for.
    create index job_queue_without_gpus on job (project, priority desc, position) where state = 'QUEUED' and gpus = 0;
  `,
};
