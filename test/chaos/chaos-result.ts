import type { TrafficCount } from "../support/traffic.ts";

/** One line of the table. */
export interface ChaosResult {
  readonly scenario: string;
  readonly count: TrafficCount;
  readonly recoveredMs: number;
  readonly problem: string | undefined;
}
