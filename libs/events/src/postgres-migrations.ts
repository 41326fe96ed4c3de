import type { Migration } from "@aimass/store";

/** The schema `events`, which all services share. */
export const postgresMigrations: readonly Migration[] = [
  {
    name: "0001-events",
    up: `
      create table event (
        position bigint generated always as identity primary key,
        id text not null unique,
        subject text not null,
        payload bytea not null,
        published_at timestamptz not null default now()
      );
      create index event_published_at on event (published_at);
      create table consumer (
        name text primary key,
        position bigint not null,
        created_at timestamptz not null default now()
      );`,
  },
];
