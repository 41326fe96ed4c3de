import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { examples } from "../examples/example.ts";
import { type ExampleResult, runExample } from "../examples/run-example.ts";
import { table } from "../output/output.ts";
import { action } from "./context.ts";

export function addExamples(program: Command): void {
  program
    .command("examples")
    .description("train, deploy and call a model on real data that is shipped; lists the examples without a name")
    .argument("[name]", `${examples.map(({ name }) => name).join(", ")} or all`)
    .option("-p, --project <name>", "where dataset and model go", "default")
    .action(
      action<{ project: string }>(async ({ connection, output }, { project }, [name]) => {
        if (name === undefined)
          return output.result(
            examples.map(({ name, shows, source }) => ({ name, shows, source })),
            () => [
              ...table(
                ["EXAMPLE", "SHOWS", "DATA"],
                examples.map((e) => [e.name, e.shows, e.source]),
              ),
              "",
              "Run one, or all: aimass examples penguins · aimass examples all",
            ],
          );
        const results: ExampleResult[] = [];
        for (const example of chosen(name)) results.push(await runExample({ connection, output, project }, example));
        output.result(name === "all" ? results : results[0], () => results.flatMap(describe));
      }),
    );
}

function chosen(name: string) {
  const found = name === "all" ? examples : examples.filter((example) => example.name === name);
  if (found.length > 0) return found;
  throw new AimassError("INVALID_ARGUMENT", `There is no example "${name}".`, {
    remedy: `There are ${examples.map((example) => example.name).join(", ")}, and all.`,
  });
}

function describe({ model, version, jobId, answers, seconds, calls }: ExampleResult): string[] {
  const right = answers.filter((answer) => answer.right).length;
  return [
    `${model} v${version} serves: ${right} of ${answers.length} answers as expected; ${seconds} s from data to answer.`,
    "",
    "# call it yourself (a key for programs: aimass keys create)",
    ...calls,
    `aimass jobs report ${jobId}`,
    "",
  ];
}
