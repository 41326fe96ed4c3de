import { writeFileSync } from "node:fs";
import { ModelService } from "@aimass/api/registry";
import { modelTypes } from "@aimass/client/model-types";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { modelName } from "../output/format.ts";
import { action, versionArgument } from "./context.ts";

/** `models types`: TypeScript for @aimass/client. */
export function addModelTypes(models: Command): void {
  models
    .command("types")
    .description("TypeScript types of a model's rows and predictions, for @aimass/client")
    .argument("<model>", '"model", "model:version" or "model@alias"; what is deployed as default when left out')
    .option("-o, --output <path>", "where they go; standard output when left out")
    .action(
      action<{ output?: string }>(async ({ connection, output }, options, [name]) => {
        const { project, model, version } = versionArgument(name as string);
        const asked = { project, model, version: version === "" ? "default" : version };
        const { version: found } = await connection.client(ModelService).getVersion(asked);
        if (found?.signature === undefined) {
          throw new AimassError("FAILED_PRECONDITION", `${modelName(project, model)} has no signature.`, {
            remedy: "Push the version again: it was not inspected to the end.",
          });
        }
        const types = modelTypes(found.signature, modelName(project, model), found.version);
        if (options.output === undefined) return output.result({ types }, () => types.trimEnd());
        writeFileSync(options.output, types);
        output.result(
          { path: options.output },
          () => `Types of ${modelName(project, model)} v${found.version} are in ${options.output}.`,
        );
      }),
    );
}
