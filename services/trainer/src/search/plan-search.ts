import type { JobSpec, Search } from "@aimass/api/trainer";
import type { TrainingData } from "../data/training-data.ts";
import { autoRecipe } from "../recipes/auto-recipe.ts";
import { estimatorOf } from "../recipes/candidate.ts";
import { getRecipe, recipes } from "../recipes/catalogue.ts";
import { autoCandidates, type DataFacts, type Excluded } from "./auto-candidates.ts";
import { type AutoCandidate, autoSearch } from "./auto-search.ts";
import type { Ranking } from "./leaderboard.ts";
import { randomSearch } from "./random-search.ts";
import { type SearchSpace, samplePoints, searchSpace } from "./search-space.ts";
import { successiveHalving } from "./successive-halving.ts";
import type { SearchPolicy, TrialPlan } from "./trial.ts";

/** What a search will do. */
export interface PlannedSearch {
  readonly policy: SearchPolicy;
  /** The recipes that take part, the quickest first. */
  readonly recipes: readonly string[];
  readonly excluded: readonly Excluded[];
}

export interface SearchPlanning {
  /** Resolved: its parameters are those that were given. */
  readonly spec: JobSpec;
  readonly search: Search;
  readonly data: TrainingData;
  readonly facts: DataFacts;
  readonly ranking: Ranking;
}

/** With more rows "auto" compares the recipes on so many first. */
const firstRows = 20_000;

/** Chooses the trials of a search, or of "auto" how they will be chosen. */
export function planSearch(planning: SearchPlanning): PlannedSearch {
  return planning.spec.recipe === autoRecipe.name ? planAuto(planning) : planOne(planning);
}

function planOne({ spec, search, data, facts, ranking }: SearchPlanning): PlannedSearch {
  const { parameters: specs } = estimatorOf(getRecipe(spec.recipe), data.task);
  const given = { parameters: spec.parameters, choices: spec.choices };
  const space = searchSpace(specs, { given, ranges: search.ranges });
  const trials = interleave([{ recipe: spec.recipe, space }], search.trials, spec.seed);
  return { policy: policyFor(trials, { search, facts, ranking }), recipes: [spec.recipe], excluded: [] };
}

function planAuto({ spec, search, data, facts, ranking }: SearchPlanning): PlannedSearch {
  const chosen = autoCandidates(recipes, facts, search.recipes);
  const candidates = chosen.recipes.map((recipe): AutoCandidate => {
    const { parameters: specs } = estimatorOf(recipe, data.task);
    return { recipe: recipe.name, space: searchSpace(specs, { given: { parameters: {}, choices: {} }, ranges: {} }) };
  });
  const policy =
    search.method === "halving"
      ? policyFor(interleave(candidates, search.trials, spec.seed), { search, facts, ranking })
      : autoSearch({
          candidates,
          seed: spec.seed,
          ranking,
          trials: search.trials || undefined,
          firstShare: Math.min(1, firstRows / Math.max(1, facts.rows)),
        });
  return { policy, recipes: candidates.map(({ recipe }) => recipe), excluded: chosen.excluded };
}

function policyFor(
  trials: readonly TrialPlan[],
  { search, facts, ranking }: { search: Search; facts: DataFacts; ranking: Ranking },
): SearchPolicy {
  if (search.method !== "halving") return randomSearch(trials);
  return successiveHalving({ trials, trainRows: facts.rows, ranking });
}

interface Candidate {
  readonly recipe: string;
  readonly space: SearchSpace;
}

/** The first point of every candidate, then the second of each, and so on. */
export function interleave(candidates: readonly Candidate[], count: number, seed: bigint): readonly TrialPlan[] {
  const points = candidates.map(({ space }, index) => samplePoints(space, count, seed + BigInt(index)));
  const trials: TrialPlan[] = [];
  for (let turn = 0; turn < count; turn++) {
    for (const [index, { recipe }] of candidates.entries()) {
      const given = points[index]?.[turn];
      if (given !== undefined && trials.length < count) trials.push({ number: trials.length + 1, recipe, given });
    }
  }
  return trials;
}
