import type { Store } from "@aimass/store";
import type { Generated, Transaction } from "kysely";

/** The tables of the schema "auth". bigint columns are read as text. */
export interface AuthDatabase {
  principal: {
    id: string;
    kind: "user" | "service-account";
    name: string;
    description: string;
    disabled: Generated<boolean>;
    roles: Generated<string[]>;
    password_hash: string | null;
    tokens_not_before: Date | null;
    token_generation: Generated<string>;
    created_at: Date;
  };
  former_principal: { id: string; token_generation: string };
  principal_group: { name: string };
  group_member: { group_name: string; member: string };
  api_key: {
    id: string;
    principal: string;
    secret_sha256: Uint8Array;
    description: string;
    created_at: Date;
    expires_at: Date | null;
    revoked_at: Date | null;
  };
  access_grant: {
    id: string;
    subject: string;
    resource: string;
    level: number;
    verbs: string[];
    effect: number;
    expires_at: Date | null;
    created_by: string;
    created_at: Date;
  };
  project_policy: { project: string; max_snapshot_age_seconds: string; set_at: Generated<Date> };
  session: {
    id: string;
    principal: string;
    created_at: Date;
    expires_at: Date;
    ended_at: Date | null;
    announced: Generated<boolean>;
  };
  refresh_token: { sha256: Uint8Array; session_id: string; created_at: Date; replaced_at: Date | null };
  sign_in_attempt: { bucket: string; failures: number; last_at: Date; blocked_until: Date | null };
  signing_key: {
    id: string;
    public_key: Uint8Array;
    sealed_private_key: Uint8Array | null;
    created_at: Date;
    active_at: Date;
    retires_at: Date | null;
  };
  policy_state: { singleton: Generated<boolean>; epoch: string; version: string };
  policy_change: { version: string; key: string };
  enforcer: { id: string; epoch: string; version: string; seen_at: Date };
  audit_entry: {
    sequence: string;
    event_id: string;
    occurred_at: Date;
    actor: string;
    action: string;
    resource: string;
    payload: Uint8Array;
    previous_hash: Uint8Array;
    hash: Uint8Array;
  };
  audit_head: { sequence: string; hash: Uint8Array; signed_at: Date; key_id: string; signature: Uint8Array };
}

export type AuthStore = Store<AuthDatabase>;
export type AuthTransaction = Transaction<AuthDatabase>;

/** Who caused a change, for its event. */
export interface Cause {
  readonly actor: string;
  readonly traceparent: string;
}
