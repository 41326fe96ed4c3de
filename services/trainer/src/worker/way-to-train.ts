import type { TrainingData } from "../data/training-data.ts";
import type { JobWork, MadeModel } from "./job-work.ts";

/** A way to train: a recipe, a search over recipes, or a script. The data are open already and are closed by who opened them. Errors are AimassErrors that say what was wrong with the data, the spec or the code. */
export type WayToTrain = (work: JobWork, data: TrainingData) => Promise<MadeModel>;
