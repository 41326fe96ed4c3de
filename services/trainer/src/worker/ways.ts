import type { JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { trainRecipe } from "../recipes/train-recipe.ts";
import type { WayToTrain } from "./job-work.ts";

/** How a spec is trained: by its own code, by a search, or by one recipe. */
export function wayOf({ script, search, recipe }: JobSpec): WayToTrain {
  if (script !== undefined) throw unknownWay("scripts");
  if (search !== undefined || recipe === "auto") throw unknownWay("searches");
  return trainRecipe;
}

function unknownWay(what: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `This trainer runs no ${what}.`, { remedy: "Name a recipe." });
}
