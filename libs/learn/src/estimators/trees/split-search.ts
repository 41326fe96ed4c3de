import type { Pacer } from "../../pacer.ts";
import type { BoostingMemory } from "./boosting-memory.ts";
import { featuresTogether, workOnFeatures } from "./feature-work.ts";

/** Does jobs: builds histograms and finds splits for all features. Between features it lets the event loop turn. */
export interface SplitSearch extends Disposable {
  run(): Promise<void>;
}

/** In the calling thread. */
export function singleThreadSearch(memory: BoostingMemory, pacer: Pacer): SplitSearch {
  return {
    async run() {
      for (let first = 0; first < memory.cols; first += featuresTogether) {
        workOnFeatures(memory, first);
        if (pacer.due) await pacer.breathe();
      }
    },
    [Symbol.dispose]() {},
  };
}
