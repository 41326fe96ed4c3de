import type { Migration } from "@aimass/store";
import { createAuth } from "./0001-auth.ts";
import { announceEndedSessions } from "./0002-ended-sessions.ts";
import { countTokenGenerations } from "./0003-token-generation.ts";
import { rememberFormerPrincipals } from "./0004-former-principals.ts";

/** In order. */
export const authMigrations: readonly Migration[] = [
  createAuth,
  announceEndedSessions,
  countTokenGenerations,
  rememberFormerPrincipals,
];
