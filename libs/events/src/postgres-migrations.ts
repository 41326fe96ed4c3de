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
  {
    // What an older version published and nobody has handled yet is still handled; from here on everything is signed.
    name: "0002-signed",
    up: `
      create table unsigned_until (position bigint not null);
      insert into unsigned_until select coalesce(max(position), 0) from event;`,
  },
];
