import type { Migration } from "@aimass/store";

/** The schema "scheduler". What people and replicas say is in the first part; what the leader decided, and only it writes, in the second. */
export const migrations: readonly Migration[] = [
  {
    name: "0001-scheduler",
    up: `
      create table deployment (
        key text primary key,
        spec bytea not null,
        etag text not null,
        created_by text not null,
        created_at timestamptz not null default now()
      );
      create table node (
        name text primary key,
        info bytea not null,
        attachment text not null,
        lease_until timestamptz not null,
        detached_at timestamptz
      );
      create table replica (
        id text primary key,
        incarnation text not null,
        info bytea not null,
        attachment text not null,
        lease_until timestamptz not null,
        detached_at timestamptz,
        draining boolean not null default false
      );
      create table crash (
        key text not null,
        version bigint not null,
        replica text not null,
        incarnation text not null,
        at timestamptz not null,
        primary key (key, version, replica, incarnation)
      );
      create table quarantine (
        key text not null,
        version bigint not null,
        crashes integer not null,
        since timestamptz not null default now(),
        primary key (key, version)
      );

      create table deployment_status (
        key text primary key,
        status bytea not null
      );
      create table placement (
        key text not null,
        version bigint not null,
        replica text not null,
        stands_in_for text,
        released_at bigint,
        primary key (key, version, replica)
      );
      create index placement_by_replica on placement (replica);
      create table rollout (
        key text not null,
        alias text not null,
        served bigint not null,
        previous jsonb not null,
        primary key (key, alias)
      );
      create table admission (
        key text not null,
        version bigint not null,
        parity jsonb not null,
        primary key (key, version)
      );
      create table dedicated_replica (
        id text primary key,
        node text not null,
        device_id text not null,
        key text not null
      );
      create table library_model (
        key text primary key,
        digest text not null,
        model bytea not null
      );
      create table route_head (
        epoch text primary key,
        version bigint not null,
        digest bytea not null,
        history_from bigint not null,
        leader_token bigint not null
      );
      create table route_entry (
        key text primary key,
        entry bytea not null,
        version bigint not null
      );
      create index route_entry_by_version on route_entry (version);
      create table route_removed (
        key text primary key,
        version bigint not null
      );
      insert into route_head (epoch, version, digest, history_from, leader_token)
      values (gen_random_uuid()::text, 0, sha256(''::bytea), 0, 0);`,
  },
  {
    name: "0002-deployment-history",
    up: `
      create table deployment_history (
        id bigint generated always as identity primary key,
        key text not null,
        at timestamptz not null default clock_timestamp(),
        actor text not null,
        entry bytea not null
      );
      create index deployment_history_by_key on deployment_history (key, id);`,
  },
  {
    name: "0003-drained-nodes",
    up: `
      -- Apart from "node", which forgets a machine that is away for long.
      create table drained_node (
        name text primary key,
        since timestamptz not null default clock_timestamp()
      );`,
  },
];
