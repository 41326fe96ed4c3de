import {
  AccessService,
  type Acknowledgement,
  type ApiKey,
  DirectoryService,
  Effect,
  type GrantSchema,
  Level,
} from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { readTextFile } from "../client/text-file.ts";
import { enumName, time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { action } from "./context.ts";

export function addAccess(program: Command): void {
  addGrants(program);
  addKeys(program);
  addUsers(program);
}

interface GrantOptions {
  readonly level?: string;
  readonly verb?: string[];
  readonly deny?: boolean;
  readonly for?: string;
}

function addGrants(program: Command): void {
  const grants = program.command("grants").description("who may do what: list, add, remove, explain");
  grants
    .command("list")
    .description("grants you may see")
    .option("-r, --resource <name>", '"project", "project.model", "project.model@alias"', "")
    .option("-s, --subject <name>", '"user:ada", "group:fraud", "service-account:ci", "anonymous"', "")
    .action(
      action<{ resource: string; subject: string }>(async ({ connection, output }, options) => {
        const all = await allPages(
          (page) => connection.client(AccessService).listGrants({ ...options, page }),
          (answer) => answer.grants,
        );
        output.result(all, () =>
          all.length === 0
            ? "No grants. Everything is denied, except to administrators."
            : table(
                ["ID", "SUBJECT", "RESOURCE", "MAY", "EFFECT", "UNTIL", "BY"],
                all.map((g) => [
                  g.id,
                  g.subject,
                  g.resource,
                  [g.level === Level.UNSPECIFIED ? "" : enumName(Level, g.level).toLowerCase(), ...g.verbs]
                    .filter(Boolean)
                    .join(" "),
                  enumName(Effect, g.effect).toLowerCase(),
                  time(g.expiresAt),
                  g.createdBy,
                ]),
              ),
        );
      }),
    );
  grants
    .command("add")
    .description("give a subject a level or verbs on a resource")
    .argument("<subject>", '"user:ada", "group:fraud", "service-account:ci" or "anonymous"')
    .argument("<resource>", '"project", "project.model", "project.model@alias" or "*"')
    .option("-l, --level <level>", "view < infer < edit < deploy < manage")
    .option("-v, --verb <verb...>", "single verbs, for instance model.infer")
    .option("--deny", "forbid instead: wins over every grant")
    .option("--for <hours>", "ends by itself after this time")
    .action(
      action<GrantOptions>(async ({ connection, output }, options, [subject, resource]) => {
        const grant: MessageInitShape<typeof GrantSchema> = {
          subject: subject as string,
          resource: resource as string,
          level: options.level === undefined ? Level.UNSPECIFIED : parseLevel(options.level),
          verbs: options.verb ?? [],
          effect: options.deny ? Effect.DENY : Effect.ALLOW,
          ...expiry(options.for),
        };
        const answer = await connection.client(AccessService).putGrant({ grant });
        output.result(answer, () => [
          `${answer.grant?.id}: ${subject} ${options.deny ? "may not" : "may"} ${[options.level, ...(options.verb ?? [])].filter(Boolean).join(", ")} on ${resource}.`,
          acknowledged(answer.acknowledgement),
        ]);
      }),
    );
  grants
    .command("remove")
    .description("take a grant back; returns when everyone who enforces it knows")
    .argument("<id>")
    .action(
      action(async ({ connection, output }, _options, [id]) => {
        const answer = await connection.client(AccessService).deleteGrant({ id: id as string });
        output.result(answer, () => [`The grant ${id} is gone.`, acknowledged(answer.acknowledgement)]);
      }),
    );
  grants
    .command("explain")
    .description("say whether somebody may do something, and why")
    .argument("<principal>", '"user:ada"; "me" for yourself')
    .argument("<verb>", 'for instance "model.infer"')
    .argument("<resource>")
    .action(
      action(async ({ connection, output }, _options, [principal, verb, resource]) => {
        const answer = await connection.client(AccessService).explainAccess({
          principal: principal === "me" ? "" : (principal as string),
          verb: verb as string,
          resource: resource as string,
        });
        output.result(answer, () => `${answer.allowed ? "Yes" : "No"}: ${answer.reason}`);
      }),
    );
}

function addKeys(program: Command): void {
  const keys = program.command("keys").description("API keys for programs: create, list, revoke");
  keys
    .command("create")
    .description("make a key; it is shown once")
    .option("-s, --service-account <name>", "for a service account; made when missing. Yourself when left out")
    .option("-d, --description <text>", "what it is for", "")
    .option("--for <hours>", "ends by itself after this time")
    .action(
      action<{ serviceAccount?: string; description: string; for?: string }>(
        async ({ connection, output }, options) => {
          const client = connection.client(DirectoryService);
          if (options.serviceAccount !== undefined) {
            const existing = await allPages(
              (page) => client.listServiceAccounts({ page }),
              (answer) => answer.serviceAccounts,
            );
            if (!existing.some((account) => account.name === options.serviceAccount))
              await client.createServiceAccount({ name: options.serviceAccount, description: options.description });
          }
          const principal = options.serviceAccount === undefined ? "" : `service-account:${options.serviceAccount}`;
          const answer = await client.createApiKey({
            principal,
            description: options.description,
            ...expiry(options.for),
          });
          output.result({ key: answer.key, secret: answer.secret }, () => answer.secret);
          output.hint(
            `Key ${answer.key?.id} of ${answer.key?.principal}, shown once. Use it: export AIMASS_API_KEY=…  Revoke it: aimass keys revoke ${answer.key?.id}`,
          );
          if (principal !== "")
            output.hint(`It may do nothing yet: aimass grants add ${principal} PROJECT.MODEL --level infer`);
        },
      ),
    );
  keys
    .command("list")
    .description("keys without their secrets")
    .option("--principal <name>", "whose; yours when left out", "")
    .action(
      action<{ principal: string }>(async ({ connection, output }, options) => {
        const all = await allPages(
          (page) => connection.client(DirectoryService).listApiKeys({ principal: options.principal, page }),
          (answer) => answer.keys,
        );
        const state = (key: ApiKey) => (key.revokedAt === undefined ? "valid" : "revoked");
        output.result(all, () =>
          table(
            ["ID", "PRINCIPAL", "STATE", "CREATED", "UNTIL", "FOR"],
            all.map((k) => [k.id, k.principal, state(k), time(k.createdAt), time(k.expiresAt), k.description]),
          ),
        );
      }),
    );
  keys
    .command("revoke")
    .description("revoke a key; returns when everyone who enforces it knows")
    .argument("<id>")
    .action(
      action(async ({ connection, output }, _options, [id]) => {
        const answer = await connection.client(DirectoryService).revokeApiKey({ id: id as string });
        output.result(answer, () => [`The key ${id} is revoked.`, acknowledged(answer.acknowledgement)]);
      }),
    );
}

function addUsers(program: Command): void {
  const users = program.command("users").description("people and groups: create, list, disable, group");
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
  users
    .command("disable")
    .description("lock a user out, at once and everywhere")
    .argument("<name>")
    .option("--enable", "let the user in again")
    .action(
      action<{ enable?: boolean }>(async ({ connection, output }, options, [name]) => {
        const answer = await connection
          .client(DirectoryService)
          .updateUser({ name: name as string, disabled: !(options.enable ?? false) });
        output.result(answer, () => [
          `user:${name} is ${answer.user?.disabled ? "disabled" : "active"}.`,
          acknowledged(answer.acknowledgement),
        ]);
      }),
    );
  users
    .command("group")
    .description("make a group, or replace its members")
    .argument("<name>")
    .argument("[members...]", '"user:ada", "service-account:ci"')
    .action(
      action(async ({ connection, output }, _options, [name, ...members]) => {
        const { group } = await connection
          .client(DirectoryService)
          .putGroup({ group: { name: name as string, members } });
        output.result(group, () => `group:${group?.name} has ${group?.members.join(", ") || "no members"}.`);
      }),
    );
}

/** One sentence: who enforces a change already. */
export function acknowledged(ack: Acknowledgement | undefined): string {
  if (ack === undefined) return "";
  if (ack.missing.length === 0) return `In force on all ${ack.acknowledged.length} enforcers.`;
  return `In force on ${ack.acknowledged.length} enforcers; not yet on ${ack.missing.join(", ")}.`;
}

function parseLevel(text: string): Level {
  const level = Level[text.toUpperCase() as keyof typeof Level];
  if (level === undefined || level === Level.UNSPECIFIED)
    throw new AimassError("INVALID_ARGUMENT", `"${text}" is not a level.`, {
      remedy: "Levels are view, infer, edit, deploy, manage.",
    });
  return level;
}

function expiry(hours: string | undefined): { expiresAt?: ReturnType<typeof timestampFromDate> } {
  if (hours === undefined) return {};
  const value = Number(hours);
  if (!(value > 0))
    throw new AimassError("INVALID_ARGUMENT", `--for is "${hours}".`, { remedy: "Give hours, for instance --for 24." });
  return { expiresAt: timestampFromDate(new Date(Date.now() + value * 3_600_000)) };
}
