import { DirectoryService, type Group } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { acknowledged } from "../output/acknowledged.ts";
import { table } from "../output/output.ts";
import { action, type CommandContext } from "./context.ts";
import { type DestroyOptions, destroy, destroys } from "./destroy.ts";

/** Named sets of principals. */
export function addGroups(program: Command): void {
  const groups = program.command("groups").description("named sets of principals: list, add, remove, delete");
  addList(groups);
  addAddition(groups);
  addRemoval(groups);
  addDelete(groups);
}

function addList(groups: Command): void {
  groups
    .command("list")
    .description("groups with their members")
    .action(
      action(async ({ connection, output }) => {
        const all = await listGroups(connection);
        output.result(all, () =>
          table(
            ["GROUP", "MEMBERS"],
            all.map(({ name, members }) => [name, members.join(", ")]),
          ),
        );
      }),
    );
}

function addAddition(groups: Command): void {
  groups
    .command("add")
    .description("put members into a group, which is made when missing")
    .argument("<group>")
    .argument("<members...>", '"user:ada", "service-account:ci"')
    .action(
      action((context, _options, [name, ...added]) =>
        changeMembers(context, name as string, (members) => [...members, ...added]),
      ),
    );
}

function addRemoval(groups: Command): void {
  groups
    .command("remove")
    .description("take members out of a group, which stays")
    .argument("<group>")
    .argument("<members...>")
    .action(
      action(async (context, _options, [name, ...gone]) =>
        changeMembers(context, name as string, (members) => {
          const stranger = gone.find((member) => !members.includes(member));
          if (stranger !== undefined)
            throw new AimassError("NOT_FOUND", `${stranger} is not in the group ${name}.`, {
              remedy: "`aimass groups list` has the members.",
            });
          return members.filter((member) => !gone.includes(member));
        }),
      ),
    );
}

function addDelete(groups: Command): void {
  destroys(
    groups.command("delete").description("remove a group and the grants given to it").argument("<group>"),
  ).action(
    action<DestroyOptions>(async (context, options, [name = ""]) => {
      // The call itself is content with a group that is gone; a person who mistypes one would believe that it is.
      const all = await listGroups(context.connection);
      if (!all.some((group) => group.name === name))
        throw new AimassError("NOT_FOUND", `There is no group "${name}".`, {
          remedy: "`aimass groups list` has them.",
        });
      const client = context.connection.client(DirectoryService);
      await destroy(context, options, {
        call: (validateOnly) => client.deleteGroup({ name, validateOnly }),
        what: ({ members, grants }) => `the group ${name} with ${members.length} members and ${grants} grants`,
        done: ({ acknowledgement }) => [`The group ${name} is gone.`, acknowledged(acknowledgement)],
      });
    }),
  );
}

/** Changes members of a group as they are now; the service refuses it where somebody else changed or made the group in between. */
async function changeMembers(
  { connection, output }: CommandContext,
  name: string,
  change: (members: readonly string[]) => readonly string[],
): Promise<void> {
  const before = (await listGroups(connection)).find((group) => group.name === name);
  const group = { name, members: [...change(before?.members ?? [])], etag: before?.etag ?? "" };
  const answer = await connection.client(DirectoryService).putGroup({ group, createOnly: before === undefined });
  output.result(answer, () => [
    `group:${name} has ${answer.group?.members.join(", ") || "no members"}.`,
    acknowledged(answer.acknowledgement),
  ]);
}

async function listGroups(connection: Connection): Promise<Group[]> {
  return await allPages(
    (page) => connection.client(DirectoryService).listGroups({ page }),
    (answer) => answer.groups,
  );
}
