import type { Migration } from "@aimass/store";
import { createAuth } from "./0001-auth.ts";
import { announceEndedSessions } from "./0002-ended-sessions.ts";
import { countTokenGenerations } from "./0003-token-generation.ts";
import { rememberFormerPrincipals } from "./0004-former-principals.ts";
import { noteWhenPoliciesWereSet } from "./0005-project-policy-set-at.ts";

/** In order. */
export const authMigrations: readonly Migration[] = [
  createAuth,
  announceEndedSessions,
  countTokenGenerations,
  rememberFormerPrincipals,
  noteWhenPoliciesWereSet,
];
