import type { Migration } from "@aimass/store";

export const library: Migration = {
  name: "0001-library",
  up: `
    create table project (
      name text primary key,
      description text not null,
      review_required boolean not null,
      created_at timestamptz not null,
      created_by text not null
    );

    -- A removed model keeps its row, so that its version numbers are never given out again.
    create table model (
      project text not null references project (name),
      name text not null,
      description text not null,
      labels jsonb not null,
      last_version bigint not null default 0,
      created_at timestamptz not null,
      created_by text not null,
      deleted_at timestamptz,
      primary key (project, name)
    );

    -- body: the immutable parts of an aimass.registry.v1.Version as protobuf JSON.
    create table version (
      project text not null,
      model text not null,
      version bigint not null,
      state text not null check (state in ('UPLOADED', 'VALIDATED', 'IN_REVIEW', 'READY', 'REFUSED', 'RETIRED')),
      state_reason text not null default '',
      bundle_digest bytea not null,
      idempotency_key text,
      body jsonb not null,
      created_at timestamptz not null,
      created_by text not null,
      primary key (project, model, version),
      foreign key (project, model) references model (project, name)
    );
    create unique index version_idempotency_key on version (project, model, idempotency_key);
    create index version_ready on version (project, model) where state = 'READY';

    create table version_file (
      project text not null,
      model text not null,
      version bigint not null,
      path text not null,
      sha256 bytea not null,
      size_bytes bigint not null,
      primary key (project, model, version, path),
      foreign key (project, model, version) references version (project, model, version) on delete cascade
    );
    create index version_file_sha256 on version_file (sha256);

    create table review (
      id bigint generated always as identity primary key,
      project text not null,
      model text not null,
      version bigint not null,
      step text not null check (step in ('requested', 'approved', 'refused')),
      principal text not null,
      comment text not null,
      at timestamptz not null
    );
    create index review_version on review (project, model, version);

    create table alias (
      project text not null,
      model text not null,
      name text not null,
      version bigint not null,
      moved_at timestamptz not null,
      moved_by text not null,
      primary key (project, model, name),
      foreign key (project, model, version) references version (project, model, version)
    );

    -- Never changed, never removed: what served at any time, and who said so.
    create table alias_move (
      id bigint generated always as identity primary key,
      project text not null,
      model text not null,
      alias text not null,
      from_version bigint not null,
      to_version bigint not null,
      rollback boolean not null,
      reason text not null,
      moved_at timestamptz not null,
      moved_by text not null
    );
    create index alias_move_newest on alias_move (project, model, alias, id desc);

    create table dataset (
      project text not null references project (name),
      name text not null,
      last_version bigint not null default 0,
      primary key (project, name)
    );

    -- body: an aimass.registry.v1.DatasetVersion as protobuf JSON.
    create table dataset_version (
      project text not null,
      dataset text not null,
      version bigint not null,
      sha256 bytea not null,
      body jsonb not null,
      primary key (project, dataset, version),
      foreign key (project, dataset) references dataset (project, name)
    );
    create index dataset_version_sha256 on dataset_version (sha256);

    -- Who brought the bytes of an artifact, and since when something may be about to refer to it.
    create table artifact_hold (
      sha256 bytea not null,
      principal text not null,
      held_at timestamptz not null,
      primary key (sha256, principal)
    );
  `,
};
