import { DirectoryService } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { readTextFile } from "../client/text-file.ts";
import { acknowledged } from "../output/acknowledged.ts";
import { time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action } from "./context.ts";
import { type DestroyOptions, destroys } from "./destroy.ts";
import { destroyPrincipal } from "./principal-removal.ts";

export function addUsers(program: Command): void {
  const users = program.command("users").description("people: create, list, roles, disable, enable, password, delete");
  addCreate(users);
  addList(users);
  addSwitch(users, { verb: "disable", disabled: true, what: "lock a user out, at once and everywhere" });
  addSwitch(users, { verb: "enable", disabled: false, what: "let a user in again" });
  addRoles(users);
  addPassword(users);
  addDelete(users);
}

function addCreate(users: Command): void {
  users
    .command("create")
    .description("add a user")
    .argument("<name>")
    .requiredOption("--password-file <file>", "the first password, at least 12 characters")
    .option("--role <role...>", "admin, operator, auditor")
    .action(
      action<{ passwordFile: string; role?: string[] }>(async ({ connection, output }, options, [name]) => {
        const password = readTextFile(options.passwordFile).trim();
        const { user } = await connection
          .client(DirectoryService)
          .createUser({ name: name as string, password, roles: options.role ?? [] });
        output.result(user, () => `user:${user?.name} can sign in.`);
        output.hint(`It may do nothing yet: aimass grants add user:${name} PROJECT --level view`);
      }),
    );
}

function addList(users: Command): void {
  users
    .command("list")
    .description("users")
    .action(
      action(async ({ connection, output }) => {
        const all = await allPages(
          (page) => connection.client(DirectoryService).listUsers({ page }),
          (answer) => answer.users,
        );
        output.result(all, () =>
          table(
            ["USER", "NAME", "ROLES", "STATE", "CREATED"],
            all.map((u) => [
              u.name,
              u.displayName,
              u.roles.join(" "),
              u.disabled ? "disabled" : "active",
              time(u.createdAt),
            ]),
          ),
        );
      }),
    );
}

function addSwitch(users: Command, { verb, disabled, what }: { verb: string; disabled: boolean; what: string }): void {
  users
    .command(verb)
    .description(what)
    .argument("<name>")
    .action(
      action(async ({ connection, output }, _options, [name = ""]) => {
        const answer = await connection.client(DirectoryService).updateUser({ name, disabled });
        output.result(answer, () => [
          `user:${name} is ${disabled ? "disabled" : "active"}.`,
          acknowledged(answer.acknowledgement),
        ]);
      }),
    );
}

function addRoles(users: Command): void {
  users
    .command("roles")
    .description("give a user these platform roles and no others")
    .argument("<name>")
    .argument("[roles...]", "admin, operator, auditor; none takes all away")
    .action(
      action(async ({ connection, output }, _options, [name, ...words]) => {
        if (words.length === 0)
          throw new AimassError("INVALID_ARGUMENT", "No role was named.", {
            remedy: 'Name those that the user shall have, or "none".',
          });
        const roles = words.join() === "none" ? [] : words;
        const request = { name: name as string, roles, setRoles: true };
        const answer = await connection.client(DirectoryService).updateUser(request);
        output.result(answer, () => [
          `user:${name} has ${answer.user?.roles.join(", ") || "no roles"}.`,
          acknowledged(answer.acknowledgement),
        ]);
      }),
    );
}

function addPassword(users: Command): void {
  users
    .command("password")
    .description("give a user a new password; ends the user's sessions")
    .argument("<name>")
    .requiredOption("--password-file <file>", "the new password, at least 12 characters")
    .option("--revoke-keys", "revoke the user's API keys too")
    .action(
      action<{ passwordFile: string; revokeKeys?: boolean }>(async ({ connection, output }, options, [name]) => {
        const password = readTextFile(options.passwordFile).trim();
        const { revokeKeys = false } = options;
        const answer = await connection
          .client(DirectoryService)
          .updateUser({ name: name as string, password, revokeKeys });
        output.result(answer, () => [
          `user:${name} has a new password; all sessions have ended${revokeKeys ? " and all API keys are revoked" : ""}.`,
          acknowledged(answer.acknowledgement),
        ]);
      }),
    );
}

function addDelete(users: Command): void {
  destroys(
    users
      .command("delete")
      .description("remove a user with grants, API keys and sessions; the audit ledger keeps the name")
      .argument("<name>"),
  ).action(
    action<DestroyOptions>((context, options, [name = ""]) => {
      const client = context.connection.client(DirectoryService);
      return destroyPrincipal(context, options, {
        principal: `user:${name}`,
        call: (validateOnly) => client.deleteUser({ name, validateOnly }),
      });
    }),
  );
}
