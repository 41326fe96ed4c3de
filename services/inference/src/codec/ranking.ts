import { classify, type Tensor } from "@aimass/oip";

/** Scores of which the best classes are wanted, as `classify` takes them. */
export interface Ranking {
  readonly scores: Tensor;
  readonly best: number;
  readonly labels: readonly string[];
  readonly batched: boolean;
}

export function rank({ scores, best, labels, batched }: Ranking): Tensor {
  return classify(scores, best, labels, batched);
}
