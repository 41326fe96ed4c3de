import type { Migration } from "@aimass/store";

/** Priorities and quotas, what is told while a job runs, reports, checkpoints, and rules that train again. */
export const queue: Migration = {
  name: "0002-queue",
  up: `
    alter table job
      add column priority int not null default 0,
      add column step bigint not null default 0,
      add column steps bigint not null default 0,
      add column loss double precision,
      -- Milliseconds it will still run, as judged at the last progress.
      add column remaining_ms double precision,
      add column warnings jsonb not null default '[]',
      add column alias_moved boolean not null default false,
      -- Who holds it or held it last.
      add column worker text not null default '',
      -- The rule that began it.
      add column retraining text not null default '',
      -- Number of the last batch of news that this attempt stored: a batch that comes twice is stored once.
      add column batch bigint not null default 0,
      -- Points of curves that are stored.
      add column points int not null default 0,
      -- Its log and its points were deleted because of their age.
      add column trimmed boolean not null default false;
    drop index job_queue;
    create index job_queue on job (project, priority desc, position) where state = 'QUEUED';
    create index job_active on job (project) where state in ('LEASED', 'RUNNING');
    create index job_untrimmed on job (ended_at) where ended_at is not null and not trimmed;

    alter table job_event
      -- A third kind: a point of a curve, as protobuf.
      add column metric bytea,
      -- Progress that a later event replaces.
      add column passing boolean not null default false;
    create index job_event_passing on job_event (job_id) where passing;

    create table job_report (
      job_id text primary key references job (id) on delete cascade,
      attempt int not null,
      -- EvaluationReport as protobuf.
      report bytea not null
    );

    create table job_checkpoint (
      id bigint generated always as identity primary key,
      job_id text not null references job (id) on delete cascade,
      attempt int not null,
      bytes bigint not null,
      -- False while its parts come in.
      complete boolean not null default false,
      created_at timestamptz not null default clock_timestamp()
    );
    create index job_checkpoint_job on job_checkpoint (job_id);

    create table job_checkpoint_part (
      checkpoint_id bigint not null references job_checkpoint (id) on delete cascade,
      number int not null,
      part bytea not null,
      primary key (checkpoint_id, number)
    );
    -- They are pressed already or do not get smaller.
    alter table job_checkpoint_part alter column part set storage external;

    -- When a project had a job taken last: among equals, whoever waited longest is next.
    create table turn (
      project text primary key,
      taken_at timestamptz not null
    );

    create table quota (
      project text primary key,
      -- 0: no bound.
      max_running int not null,
      max_queued int not null,
      changed_by text not null,
      changed_at timestamptz not null default clock_timestamp()
    );

    create table retraining (
      project text not null,
      name text not null,
      -- Told apart from a rule of the same name that was deleted.
      id text not null,
      spec bytea not null,
      on_new_data boolean not null,
      -- 0: not by time.
      every_ms bigint not null,
      paused boolean not null,
      created_by text not null,
      created_at timestamptz not null default clock_timestamp(),
      next_at timestamptz,
      -- The newest dataset version told of, and the newest that was trained on or was there before the rule.
      new_version bigint not null,
      seen_version bigint not null,
      -- Until then one trainer sees to it, or it waits after an error that may pass.
      held_until timestamptz not null default '-infinity',
      last_job_id text not null default '',
      last_error text not null default '',
      primary key (project, name)
    );
  `,
};
