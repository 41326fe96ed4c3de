import type { JobSpec } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { trainRecipe } from "../recipes/train-recipe.ts";
import { isSearch } from "../search/check-search.ts";
import { trainBySearch } from "../search/search-way.ts";
import type { WayToTrain } from "./job-work.ts";

/** How a spec is trained: by its own code, by a search, or by one recipe. */
export function wayOf(spec: JobSpec): WayToTrain {
  if (spec.script !== undefined) throw unknownWay("scripts");
  return isSearch(spec) ? trainBySearch : trainRecipe;
}

function unknownWay(what: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", `This trainer runs no ${what}.`, { remedy: "Name a recipe." });
}
