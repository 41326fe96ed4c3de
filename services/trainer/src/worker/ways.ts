import type { JobSpec } from "@aimass/api/trainer";
import { trainRecipe } from "../recipes/train-recipe.ts";
import { trainScript } from "../scripts/train-script.ts";
import { isSearch } from "../search/check-search.ts";
import { trainBySearch } from "../search/search-way.ts";
import type { WayToTrain } from "./way-to-train.ts";

/** How a spec is trained: by its own code, by a search, or by one recipe. */
export function wayOf(spec: JobSpec): WayToTrain {
  if (spec.script !== undefined) return trainScript;
  return isSearch(spec) ? trainBySearch : trainRecipe;
}
