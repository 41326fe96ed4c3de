import { AimassError } from "@aimass/core";
import { formatResource } from "@aimass/identity";
import type { ModelName } from "./names.ts";
import { shorten } from "./names.ts";

/*
 * What is not there and what may not be seen get the same sentence from the same function.
 */

/** No such model, or none the caller may view. */
export function modelNotFound({ project, model }: ModelName): AimassError {
  return new AimassError("NOT_FOUND", `There is no model "${shorten(formatResource(project, model))}".`);
}

/** No such project, or none the caller may view. */
export function projectNotFound(project: string): AimassError {
  return new AimassError("NOT_FOUND", `There is no project "${shorten(project)}".`);
}

/** No such dataset, or none the caller may view. */
export function datasetNotFound(project: string, dataset: string): AimassError {
  return new AimassError("NOT_FOUND", `There is no dataset "${shorten(formatResource(project, dataset))}".`);
}

/** The model is there, the version is not. */
export function versionNotFound({ project, model }: ModelName, version: bigint | string): AimassError {
  return new AimassError(
    "NOT_FOUND",
    `Model "${formatResource(project, model)}" has no version "${shorten(String(version))}".`,
    {
      field: "version",
    },
  );
}
