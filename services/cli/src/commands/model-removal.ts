import { ModelService } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { modelName } from "../output/format.ts";
import { action, modelArgument, versionArgument, versionNumber } from "./context.ts";
import { type DestroyOptions, destroy, destroys } from "./destroy.ts";

/** `models retire` and `models delete`. */
export function addModelRemoval(models: Command): void {
  destroys(
    models
      .command("retire")
      .description("take a version out of use for good; no alias may point at it")
      .argument("<version>", '"model:version"'),
  ).action(
    action<DestroyOptions>(async (context, options, [name]) => {
      const { version: text, ...model } = versionArgument(name as string);
      if (text === "")
        throw new AimassError("INVALID_ARGUMENT", "No version was named.", { remedy: `Write it like ${name}:1.` });
      const version = versionNumber(text);
      const client = context.connection.client(ModelService);
      await destroy(context, options, {
        verb: "Retire",
        call: (validateOnly) => client.retireVersion({ ...model, version, validateOnly }),
        what: () => String(name),
        done: () => `${name} is retired.`,
      });
    }),
  );
  destroys(
    models
      .command("delete")
      .description("remove a model with all its versions; no alias may point at one")
      .argument("<model>"),
  ).action(
    action<DestroyOptions>(async (context, options, [name]) => {
      const { project, model } = modelArgument(name as string);
      const full = modelName(project, model);
      const client = context.connection.client(ModelService);
      await destroy(context, options, {
        call: (validateOnly) => client.deleteModel({ project, name: model, validateOnly }),
        what: ({ versions }) => `the model ${full} with ${versions.length} versions`,
        done: () => `${full} is gone.`,
      });
    }),
  );
}
