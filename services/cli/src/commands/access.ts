import type { Command } from "commander";
import { addGrants } from "./grants.ts";
import { addGroups } from "./groups.ts";
import { addKeys } from "./keys.ts";
import { addServiceAccounts } from "./service-accounts.ts";
import { addSessions } from "./sessions.ts";
import { addUsers } from "./users.ts";

/** Who there is, and who may do what. */
export function addAccess(program: Command): void {
  addGrants(program);
  addKeys(program);
  addUsers(program);
  addGroups(program);
  addServiceAccounts(program);
  addSessions(program);
}
