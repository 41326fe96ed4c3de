import type { Migration } from "@aimass/store";
import { createAuth } from "./0001-auth.ts";

/** In order. */
export const authMigrations: readonly Migration[] = [createAuth];
