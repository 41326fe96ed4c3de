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
 * Errors: the server's; CANCELLED when the person does not agree.
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
    output.result({ dryRun: true, ...answer }, () => `Would ${verb.toLowerCase()} ${o.what(answer)}.`);
    return;
  }
  if (ask !== undefined && !options.yes) {
    const judged = await o.call(true);
    const said = await ask(`${verb} ${o.what(judged)}? [y/N] `);
    if (!/^y(es)?$/i.test(said.trim()))
      throw new AimassError("CANCELLED", "Nothing was changed.", { remedy: "Answer y, or give --yes." });
  }
  const answer = await o.call(false);
  output.result(answer, () => o.done(answer));
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
