import { AliasService } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { waitUntilServed } from "../client/until-served.ts";
import { wholeNumber } from "../training/arguments.ts";
import { action, modelArgument, versionNumber } from "./context.ts";

/** `models alias` and `models rollback`. */
export function addAliases(models: Command): void {
  addAlias(models);
  addRollback(models);
}

function addAlias(models: Command): void {
  models
    .command("alias")
    .description("point an alias at a version, or remove it; waits until it is served when the model is deployed")
    .argument("<model>")
    .argument("<alias>")
    .argument("[version]", "the version; leave out with --delete")
    .option("-m, --message <text>", "why, for the history", "")
    .option("--expect <version>", "only when it points there now")
    .option("--delete", "remove the alias")
    .option("--no-wait", "do not wait for the traffic to move")
    .action(
      action<{ message: string; expect?: string; delete?: boolean; wait: boolean }>(
        async (context, options, [name, alias, version]) => {
          const { project, model } = modelArgument(name as string);
          const client = context.connection.client(AliasService);
          const expected = expectedVersion(options.expect);
          if (options.delete) {
            if (version !== undefined)
              throw new AimassError("INVALID_ARGUMENT", `--delete removes ${alias}; v${version} was named too.`, {
                remedy: "Leave the version out, or give --expect VERSION.",
              });
            await client.deleteAlias({ project, model, alias: alias as string, reason: options.message, ...expected });
            context.output.result({ deleted: alias }, () => `The alias ${alias} is gone; its history stays.`);
            return;
          }
          if (version === undefined)
            throw new AimassError("INVALID_ARGUMENT", "No version was named.", {
              remedy: "Name one, or use --delete.",
            });
          const { move } = await client.moveAlias({
            project,
            model,
            alias: alias as string,
            version: versionNumber(version),
            reason: options.message,
            ...expected,
          });
          const summary = options.wait
            ? await waitUntilServed(
                context.connection,
                { project, model },
                { expected: [{ alias: alias as string, version: move?.toVersion ?? 0n }] },
              )
            : undefined;
          context.output.result(
            { move, summary },
            () =>
              `${name}@${alias}: ${move?.fromVersion ? `v${move.fromVersion} → ` : "points at "}v${move?.toVersion}.${summary === undefined ? "" : ` ${summary}`}`,
          );
          context.output.hint(`Undo: aimass models rollback ${name} ${alias}`);
        },
      ),
    );
}

function addRollback(models: Command): void {
  models
    .command("rollback")
    .description("move an alias back to where it pointed before")
    .argument("<model>")
    .argument("[alias]", "the alias", "default")
    .option("-m, --message <text>", "why, for the history", "")
    .option("--expect <version>", "only when it points there now")
    .option("--no-wait", "do not wait for the traffic to move")
    .action(
      action<{ message: string; expect?: string; wait: boolean }>(async (context, options, [name, alias]) => {
        const { project, model } = modelArgument(name as string);
        const startedAt = performance.now();
        const { move } = await context.connection.client(AliasService).rollbackAlias({
          ...{ project, model, alias: alias as string, reason: options.message },
          ...expectedVersion(options.expect),
        });
        const summary = options.wait
          ? await waitUntilServed(
              context.connection,
              { project, model },
              { expected: [{ alias: alias as string, version: move?.toVersion ?? 0n }] },
            )
          : undefined;
        const ms = Math.round(performance.now() - startedAt);
        context.output.result(
          { move, summary, ms },
          () =>
            `${name}@${alias}: back from v${move?.fromVersion} to v${move?.toVersion} in ${ms} ms.${summary === undefined ? "" : ` ${summary}`}`,
        );
      }),
    );
}

/** Where --expect says that an alias points now; 0: nowhere. Errors: INVALID_ARGUMENT. */
function expectedVersion(text: string | undefined): { expectedVersion?: bigint } {
  if (text === undefined) return {};
  return { expectedVersion: BigInt(wholeNumber("--expect", text)) };
}
