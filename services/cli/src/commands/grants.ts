import { AccessService, Effect, type GrantSchema, Level } from "@aimass/api/auth";
import { AimassError } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import type { Connection } from "../client/connection.ts";
import { assertThere } from "../client/named-resource.ts";
import { acknowledged } from "../output/acknowledged.ts";
import { enumName, time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { endAfter } from "../training/arguments.ts";
import { action } from "./context.ts";

interface GrantOptions {
  readonly level?: string;
  readonly verb?: string[];
  readonly deny?: boolean;
  readonly for?: string;
  readonly force?: boolean;
}

export function addGrants(program: Command): void {
  const grants = program.command("grants").description("who may do what: list, add, remove, explain");
  addList(grants);
  addGrant(grants);
  addRemoval(grants);
  addExplain(grants);
}

function addList(grants: Command): void {
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
}

function addGrant(grants: Command): void {
  grants
    .command("add")
    .description("give a subject a level or verbs on a resource")
    .argument("<subject>", '"user:ada", "group:fraud", "service-account:ci" or "anonymous"')
    .argument("<resource>", '"project", "project.model", "project.model@alias" or "*"')
    .option("-l, --level <level>", "view < infer < edit < deploy < manage")
    .option("-v, --verb <verb...>", "single verbs, for instance model.infer")
    .option("--deny", "forbid instead: wins over every grant")
    .option("--for <time>", "ends by itself after this time: 36h or 7d; a plain number is hours")
    .option("--force", "also on what is not there yet")
    .action(
      action<GrantOptions>(async ({ connection, output }, options, [subject, resource]) => {
        const grant: MessageInitShape<typeof GrantSchema> = {
          subject: subject as string,
          resource: resource as string,
          level: options.level === undefined ? Level.UNSPECIFIED : parseLevel(options.level),
          verbs: options.verb ?? [],
          effect: options.deny ? Effect.DENY : Effect.ALLOW,
          ...(options.for === undefined ? {} : { expiresAt: endAfter(options.for) }),
        };
        if (!options.force && connection.isSignedIn) await assertThere(connection, resource as string);
        const answer = await connection.client(AccessService).putGrant({ grant });
        output.result(answer, () => [
          `${answer.grant?.id}: ${subject} ${options.deny ? "may not" : "may"} ${[options.level, ...(options.verb ?? [])].filter(Boolean).join(", ")} on ${resource}.`,
          acknowledged(answer.acknowledgement),
        ]);
      }),
    );
}

function addRemoval(grants: Command): void {
  grants
    .command("remove")
    .description("take a grant back; returns when everyone who enforces it knows")
    .argument("<id>")
    .action(
      action(async ({ connection, output }, _options, [id]) => {
        // The call itself is content with a grant that is gone; a person who mistypes one would believe that it is.
        if (connection.isSignedIn) await assertGranted(connection, id as string);
        const answer = await connection.client(AccessService).deleteGrant({ id: id as string });
        output.result(answer, () => [`The grant ${id} is gone.`, acknowledged(answer.acknowledgement)]);
      }),
    );
}

function addExplain(grants: Command): void {
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

/** Errors: NOT_FOUND when no grant that the caller may see has the id. */
async function assertGranted(connection: Connection, id: string): Promise<void> {
  const all = await allPages(
    (page) => connection.client(AccessService).listGrants({ page }),
    (answer) => answer.grants,
  );
  if (all.some((grant) => grant.id === id)) return;
  throw new AimassError("NOT_FOUND", `There is no grant "${id}" that you may see.`, {
    remedy: "`aimass grants list` has their ids.",
  });
}

function parseLevel(text: string): Level {
  const level = Level[text.toUpperCase() as keyof typeof Level];
  if (level === undefined || level === Level.UNSPECIFIED)
    throw new AimassError("INVALID_ARGUMENT", `"${text}" is not a level.`, {
      remedy: "Levels are view, infer, edit, deploy, manage.",
    });
  return level;
}
