import type { Migration } from "@aimass/store";

export const code: Migration = {
  name: "0002-code",
  up: `
    -- What a version was made with (lineage.code): kept and readable as its files are, but no part of its bundle.
    create table version_code (
      project text not null,
      model text not null,
      version bigint not null,
      path text not null,
      sha256 bytea not null,
      size_bytes bigint not null,
      primary key (project, model, version, path),
      foreign key (project, model, version) references version (project, model, version) on delete cascade
    );
    create index version_code_sha256 on version_code (sha256);
  `,
};
