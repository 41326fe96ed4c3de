import type { TrainingService } from "@aimass/api/trainer";
import type { ServiceImpl } from "@connectrpc/connect";
import { jobCalls } from "./job-calls.ts";
import { quotaCalls } from "./quota-calls.ts";
import { retrainingCalls } from "./retraining-calls.ts";
import type { TrainingServiceOptions } from "./training-service-options.ts";

/** aimass.trainer.v1.TrainingService. */
export function createTrainingService(options: TrainingServiceOptions): ServiceImpl<typeof TrainingService> {
  return { ...jobCalls(options), ...quotaCalls(options), ...retrainingCalls(options) };
}
