import { DirectoryService } from "@aimass/api/auth";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { acknowledged } from "../output/acknowledged.ts";
import { time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action } from "./context.ts";
import { type DestroyOptions, destroys } from "./destroy.ts";
import { destroyPrincipal } from "./principal-removal.ts";

/** The programs. */
export function addServiceAccounts(program: Command): void {
  const accounts = program
    .command("service-accounts")
    .description("programs that call: create, list, disable, enable, delete");
  addCreate(accounts);
  addList(accounts);
  addSwitch(accounts, { verb: "disable", disabled: true, what: "refuse its keys, at once and everywhere" });
  addSwitch(accounts, { verb: "enable", disabled: false, what: "take its keys again" });
  addDelete(accounts);
}

function addCreate(accounts: Command): void {
  accounts
    .command("create")
    .description("add a service account")
    .argument("<name>")
    .option("-d, --description <text>", "what it is for", "")
    .action(
      action<{ description: string }>(async ({ connection, output }, { description }, [name = ""]) => {
        const { serviceAccount } = await connection
          .client(DirectoryService)
          .createServiceAccount({ name, description });
        output.result(serviceAccount, () => `service-account:${name} is there.`);
        output.hint(`Next: aimass keys create --service-account ${name}`);
      }),
    );
}

function addList(accounts: Command): void {
  accounts
    .command("list")
    .description("service accounts")
    .action(
      action(async ({ connection, output }) => {
        const all = await allPages(
          (page) => connection.client(DirectoryService).listServiceAccounts({ page }),
          (answer) => answer.serviceAccounts,
        );
        output.result(all, () =>
          table(
            ["SERVICE ACCOUNT", "STATE", "CREATED", "FOR"],
            all.map((a) => [a.name, a.disabled ? "disabled" : "active", time(a.createdAt), a.description]),
          ),
        );
      }),
    );
}

function addSwitch(
  accounts: Command,
  { verb, disabled, what }: { verb: string; disabled: boolean; what: string },
): void {
  accounts
    .command(verb)
    .description(what)
    .argument("<name>")
    .action(
      action(async ({ connection, output }, _options, [name = ""]) => {
        const answer = await connection.client(DirectoryService).updateServiceAccount({ name, disabled });
        output.result(answer, () => [
          `service-account:${name} is ${disabled ? "disabled" : "active"}.`,
          acknowledged(answer.acknowledgement),
        ]);
      }),
    );
}

function addDelete(accounts: Command): void {
  destroys(
    accounts
      .command("delete")
      .description("remove a service account with its grants and API keys; the audit ledger keeps the name")
      .argument("<name>"),
  ).action(
    action<DestroyOptions>((context, options, [name = ""]) => {
      const client = context.connection.client(DirectoryService);
      return destroyPrincipal(context, options, {
        principal: `service-account:${name}`,
        call: (validateOnly) => client.deleteServiceAccount({ name, validateOnly }),
      });
    }),
  );
}
