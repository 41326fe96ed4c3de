import type { BoostingMemory } from "./boosting-memory.ts";
import { featuresTogether, workOnFeatures } from "./feature-work.ts";

/** Does jobs: builds histograms and finds splits for all features. */
export interface SplitSearch extends Disposable {
  run(): void;
}

/** In the calling thread. */
export function singleThreadSearch(memory: BoostingMemory): SplitSearch {
  return {
    run() {
      for (let first = 0; first < memory.cols; first += featuresTogether) workOnFeatures(memory, first);
    },
    [Symbol.dispose]() {},
  };
}
