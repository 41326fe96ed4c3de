import { createInterface } from "node:readline/promises";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import type { CommandContext } from "./context.ts";

/** What every command takes that destroys something. */
export interface DestroyOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Something that destroys. */
export interface Destruction<A> {
  /** What is destroyed, to be put after "Would delete" and "Delete": "the model fraud with 3 versions". */
  readonly what: (answer: A) => string;
  /** Asks the server: with `validateOnly` it checks everything and changes nothing. */
  readonly call: (validateOnly: boolean) => Promise<A>;
  /** What is said once it is done. */
  readonly done: (answer: A) => string | readonly string[];
  /** What would fail then, in words: said in a dry run and at the terminal; elsewhere it goes along with --yes only. Nothing when left out. */
  readonly uses?: (answer: A) => Promise<readonly string[]>;
  /** "Delete" when left out. */
  readonly verb?: string;
}

/** Asks a person; undefined where nobody sits at a terminal. */
export type Ask = ((question: string) => Promise<string>) | undefined;

/** Adds the options of a command that destroys something. */
export function destroys(command: Command): Command {
  return command
    .option("--dry-run", "only say what would go, as the server judges it")
    .option("-y, --yes", "do not ask back at a terminal");
}

/**
 * Destroys something: with --dry-run the server only judges it; at a terminal it is judged first and a person asked, unless --yes.
 * Errors: the server's; CANCELLED when the person does not agree; FAILED_PRECONDITION for what is in use where nobody can be asked.
 */
export async function destroy<A extends object>(
  { output }: Pick<CommandContext, "output">,
  options: DestroyOptions,
  o: Destruction<A>,
  ask: Ask = terminalQuestion(),
): Promise<void> {
  const verb = o.verb ?? "Delete";
  if (options.dryRun) {
    const answer = await o.call(true);
    const uses = o.uses === undefined ? undefined : await o.uses(answer);
    output.result({ dryRun: true, ...answer, ...(uses !== undefined && { uses }) }, () => [
      `Would ${verb.toLowerCase()} ${o.what(answer)}.`,
      ...(uses === undefined || uses.length === 0 ? [] : [`Would fail then: ${uses.join("; ")}.`]),
    ]);
    return;
  }
  if (!options.yes) await assertWanted(verb, o, ask);
  const answer = await o.call(false);
  output.result(answer, () => o.done(answer));
}

/** Asks the person at the terminal; where nobody sits there, only what is in use needs a yes. */
async function assertWanted<A>(verb: string, o: Destruction<A>, ask: Ask): Promise<void> {
  if (ask === undefined && o.uses === undefined) return;
  const judged = await o.call(true);
  const uses = (await o.uses?.(judged)) ?? [];
  const losing = uses.length === 0 ? "" : ` These would fail then: ${uses.join("; ")}.`;
  if (ask === undefined) {
    if (uses.length === 0) return;
    throw new AimassError("FAILED_PRECONDITION", `Nothing was changed: ${o.what(judged)} is in use.${losing}`, {
      remedy: `End these first, or ${verb.toLowerCase()} it all the same with --yes.`,
    });
  }
  const said = await ask(`${verb} ${o.what(judged)}?${losing} [y/N] `);
  if (!/^y(es)?$/i.test(said.trim()))
    throw new AimassError("CANCELLED", "Nothing was changed.", { remedy: "Answer y, or give --yes." });
}

function terminalQuestion(): Ask {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return undefined;
  return async (question) => {
    const reader = createInterface({ input: process.stdin, output: process.stderr });
    try {
      const ended = new Promise<string>((resolve) => reader.once("close", () => resolve("")));
      return await Promise.race([reader.question(question), ended]);
    } finally {
      reader.close();
    }
  };
}
