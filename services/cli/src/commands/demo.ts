import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { Demo, type DemoResult } from "../demo/demo.ts";
import { embeddedTarget, remoteTarget } from "../demo/demo-target.ts";
import type { Output } from "../output/output.ts";
import { Mesh } from "../up/mesh.ts";
import { action } from "./context.ts";
import { describeEvent, meshOptions, openDoors, type UpOptions, untilStopped, withUpOptions } from "./up.ts";

interface DemoOptions extends UpOptions {
  readonly exit?: boolean;
  readonly against?: string;
  readonly passwordFile?: string;
  readonly killCommand?: string;
}

export function addDemo(program: Command): void {
  withUpOptions(
    program
      .command("demo")
      .description("the whole main job on real data, narrated: train, deploy, call, swap, roll back, kill a replica"),
  )
    .option("--exit", "stop the mesh at the end and take back what the demo granted")
    .option("--against <url>", "show it on a mesh that runs already, for instance in containers")
    .option("--password-file <file>", "with --against: the administrator's password")
    .option("--kill-command <command>", "with --against: ends one replica")
    .action(
      action<DemoOptions>(async ({ output }, options) => {
        if (options.against === undefined) await embeddedDemo(output, options);
        else await remoteDemo(output, options, options.against);
      }),
    );
}

async function embeddedDemo(output: Output, options: DemoOptions): Promise<void> {
  const startedAt = performance.now();
  output.say("AI Mass: starting PostgreSQL and every service on this machine …");
  const mesh = await Mesh.start({ ...meshOptions(options), onProgress: (event) => output.say(describeEvent(event)) });
  try {
    output.say(
      `  mesh         ready on ${mesh.url()} after ${seconds(startedAt)}; listens on ${mesh.listeners.join(", ")}`,
    );
    for (const line of openDoors(mesh)) output.say(line);
    output.say("");
    const demo = new Demo(embeddedTarget(mesh), (line) => output.say(line));
    const result = await demo.run();
    if (options.exit) await demo.takeBack();
    summarise(output, result, startedAt);
    if (!options.exit) {
      for (const line of whatNext(mesh, result.apiKey)) output.say(line);
      await untilStopped();
      output.say("");
      output.say("Stopping …");
      await demo.takeBack();
    }
  } finally {
    await mesh.stop();
  }
  output.say("Stopped; nothing is left running.");
}

async function remoteDemo(output: Output, options: DemoOptions, url: string): Promise<void> {
  const { passwordFile, killCommand } = options;
  if (passwordFile === undefined || killCommand === undefined) {
    throw new AimassError("INVALID_ARGUMENT", "--against needs --password-file and --kill-command.", {
      remedy: "See deploy/README.md for an example.",
    });
  }
  const startedAt = performance.now();
  const demo = new Demo(remoteTarget({ url, passwordFile, killCommand }), (line) => output.say(line));
  const result = await demo.run();
  await demo.takeBack();
  summarise(output, result, startedAt);
}

/** The result; an error when a request failed. */
function summarise(output: Output, result: DemoResult, startedAt: number): void {
  const sent = result.phases.reduce((sum, { report }) => sum + report.sent, 0);
  output.result({ ...result, apiKey: undefined, sent, seconds: Number(seconds(startedAt).slice(0, -2)) }, () => [
    "",
    `${result.model}: R² ${result.r2.toFixed(3)}; ${sent} requests over a swap, a roll back and a killed replica; ${result.failed} failed. ${seconds(startedAt)} in all.`,
  ]);
  if (result.failed > 0)
    throw new AimassError("INTERNAL", `${result.failed} requests failed.`, { remedy: "The logs say why." });
}

function whatNext(mesh: Mesh, apiKey: string): string[] {
  const url = mesh.url();
  return [
    "",
    "It stays up until Ctrl-C. In another terminal:",
    `  export AIMASS_SERVER=${url} AIMASS_API_KEY=${apiKey}`,
    "  npx aimass predict diabetes",
    `  curl -s ${url}/models/diabetes/predict -H "authorization: Bearer $AIMASS_API_KEY" -H 'content-type: application/json' -d '{"inputs": [[59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87]]}'`,
    "  unset AIMASS_API_KEY",
    `  npx aimass login --password-file ${mesh.data.adminPasswordFile}`,
    "  npx aimass models show diabetes      npx aimass status      npx aimass audit list      npx aimass run your-model.onnx",
    `  ${url}/console/   (user admin, password in ${mesh.data.adminPasswordFile})`,
  ];
}

function seconds(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
