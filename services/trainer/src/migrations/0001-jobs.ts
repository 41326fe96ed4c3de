import type { Migration } from "@aimass/store";

/** Jobs with their leases, and what happened to each, in order. */
export const jobs: Migration = {
  name: "0001-jobs",
  up: `
    create table job (
      id text primary key,
      -- Order of the queue.
      position bigint generated always as identity,
      project text not null,
      spec bytea not null,
      state text not null,
      state_reason text not null default '',
      attempt int not null default 0,
      -- Attempts that ended with a dead worker or a service away.
      failures int not null default 0,
      progress double precision not null default 0,
      metrics jsonb not null default '{}',
      model_version bigint not null default 0,
      created_by text not null,
      created_at timestamptz not null default clock_timestamp(),
      started_at timestamptz,
      ended_at timestamptz,
      idempotency_key text,
      traceparent text not null default '',
      cancel_requested boolean not null default false,
      -- Not before this moment, after a failed attempt.
      runnable_at timestamptz not null default clock_timestamp(),
      lease_holder text,
      lease_expires_at timestamptz,
      -- Number of the newest event.
      sequence bigint not null default 0,
      unique (created_by, idempotency_key)
    );
    create index job_queue on job (position) where state = 'QUEUED';
    create index job_leased on job (lease_expires_at) where state in ('LEASED', 'RUNNING');
    create index job_project on job (project, id);

    create table job_event (
      job_id text not null references job (id) on delete cascade,
      sequence bigint not null,
      at timestamptz not null default clock_timestamp(),
      -- One of the two: the job after a change, as protobuf, or a line of its log.
      job bytea,
      log_line text,
      primary key (job_id, sequence)
    );
  `,
};
