import { ModelService } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { Command } from "commander";
import { modelName } from "../output/format.ts";
import { action, modelArgument, pairs } from "./context.ts";

interface UpdateOptions {
  readonly description?: string;
  readonly label?: string[];
  readonly removeLabel?: string[];
}

/** `models update`: somebody else's change in between is refused by the service, not written over. */
export function addModelUpdate(models: Command): void {
  models
    .command("update")
    .description("change what a model says: description and labels")
    .argument("<model>")
    .option("-d, --description <text>", "for people")
    .option("-l, --label <name=value...>", "labels to set")
    .option("--remove-label <name...>", "labels to take away")
    .action(
      action<UpdateOptions>(async ({ connection, output }, { description, label, removeLabel = [] }, [name]) => {
        if (description === undefined && label === undefined && removeLabel.length === 0)
          throw new AimassError("INVALID_ARGUMENT", "Nothing to change was named.", {
            remedy: "Say --description, --label or --remove-label.",
          });
        const { project, model } = modelArgument(name as string);
        const client = connection.client(ModelService);
        const { model: before } = await client.getModel({ project, name: model });
        const strange = removeLabel.find((key) => before?.labels[key] === undefined);
        if (strange !== undefined)
          throw new AimassError("NOT_FOUND", `${name} has no label "${strange}".`, {
            remedy: `\`aimass models show ${name} --json\` has them.`,
          });
        const kept = Object.entries(before?.labels ?? {}).filter(([key]) => !removeLabel.includes(key));
        const answer = await client.updateModel({
          ...{ project, name: model, etag: before?.etag ?? "" },
          ...(description !== undefined && { description }),
          labels: { ...Object.fromEntries(kept), ...pairs(label) },
          setLabels: label !== undefined || removeLabel.length > 0,
        });
        const labels = Object.entries(answer.model?.labels ?? {}).map(([key, value]) => `${key}=${value}`);
        output.result(answer.model, () => [
          `${modelName(project, model)}: ${answer.model?.description || "no description"}`,
          `labels: ${labels.join(", ") || "none"}`,
        ]);
      }),
    );
}
