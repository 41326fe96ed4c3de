import type { Migration } from "@aimass/store";

/** Principals, keys, sessions, grants, the policy's versions, enforcers, the ledger. */
export const createAuth: Migration = {
  name: "0001-auth",
  up: `
    create table principal (
      id text primary key,
      kind text not null check (kind in ('user', 'service-account')),
      name text not null,
      description text not null default '',
      disabled boolean not null default false,
      roles text[] not null default '{}',
      password_hash text,
      tokens_not_before timestamptz,
      created_at timestamptz not null
    );
    create index on principal (kind, name);

    create table principal_group (name text primary key);
    create table group_member (
      group_name text not null references principal_group on delete cascade,
      member text not null references principal,
      primary key (group_name, member)
    );
    create index on group_member (member);

    create table api_key (
      id text primary key,
      principal text not null references principal,
      secret_sha256 bytea not null,
      description text not null,
      created_at timestamptz not null,
      expires_at timestamptz,
      revoked_at timestamptz
    );
    create index on api_key (principal);

    create table access_grant (
      id text primary key,
      subject text not null,
      resource text not null,
      level integer not null,
      verbs text[] not null,
      effect integer not null,
      expires_at timestamptz,
      created_by text not null,
      created_at timestamptz not null,
      unique (subject, resource, effect)
    );
    create index on access_grant (resource);

    create table project_policy (
      project text primary key,
      max_snapshot_age_seconds bigint not null check (max_snapshot_age_seconds >= 0)
    );

    create table session (
      id text primary key,
      principal text not null references principal,
      created_at timestamptz not null,
      expires_at timestamptz not null,
      ended_at timestamptz
    );
    create index on session (principal) where ended_at is null;
    create table refresh_token (
      sha256 bytea primary key,
      session_id text not null references session on delete cascade,
      created_at timestamptz not null,
      replaced_at timestamptz
    );
    create index on refresh_token (session_id);
    create table sign_in_attempt (
      bucket text primary key,
      failures integer not null,
      last_at timestamptz not null,
      blocked_until timestamptz
    );

    create table signing_key (
      id text primary key,
      public_key bytea not null,
      sealed_private_key bytea,
      created_at timestamptz not null,
      active_at timestamptz not null,
      retires_at timestamptz
    );

    create table policy_state (
      singleton boolean primary key default true check (singleton),
      epoch text not null,
      version bigint not null
    );
    insert into policy_state (epoch, version) values (gen_random_uuid()::text, 1);
    create table policy_change (
      version bigint not null,
      key text not null,
      primary key (version, key)
    );
    create table enforcer (
      id text primary key,
      epoch text not null,
      version bigint not null,
      seen_at timestamptz not null
    );

    create table audit_entry (
      sequence bigint primary key,
      event_id text not null unique,
      occurred_at timestamptz not null,
      actor text not null,
      action text not null,
      resource text not null,
      payload bytea not null,
      previous_hash bytea not null,
      hash bytea not null
    );
    create index on audit_entry (actor, sequence);
    create index on audit_entry (action text_pattern_ops, sequence);
    create index on audit_entry (resource, sequence);
    create index on audit_entry (occurred_at);
    create table audit_head (
      sequence bigint primary key,
      hash bytea not null,
      signed_at timestamptz not null,
      key_id text not null,
      signature bytea not null
    );`,
};
