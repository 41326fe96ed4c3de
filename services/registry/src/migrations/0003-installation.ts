import type { Migration } from "@aimass/store";

export const installation: Migration = {
  name: "0003-installation",
  up: `
    -- Which installation this database is part of; the artifact storage carries the same id. One row, made at the first start.
    create table installation (
      only_row boolean primary key default true check (only_row),
      id text not null
    );
  `,
};
