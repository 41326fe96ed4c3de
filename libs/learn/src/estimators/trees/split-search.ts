import type { BoostingMemory } from "./boosting-memory.ts";
import { workOnFeature } from "./feature-work.ts";

/** Does jobs: builds histograms and finds splits for all features. */
export interface SplitSearch extends Disposable {
  run(): void;
}

/** In the calling thread. */
export function singleThreadSearch(memory: BoostingMemory): SplitSearch {
  return {
    run() {
      for (let feature = 0; feature < memory.cols; feature++) workOnFeature(memory, feature);
    },
    [Symbol.dispose]() {},
  };
}
