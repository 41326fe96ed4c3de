import { AimassError } from "@aimass/core";
import type { Estimator } from "../estimator.ts";
import { gaussianNaiveBayes } from "./bayes/gaussian.ts";
import { multinomialNaiveBayes } from "./bayes/multinomial.ts";
import { elasticNet, lasso } from "./linear/elastic-net.ts";
import { linearRegression } from "./linear/linear-regression.ts";
import { linearSvm } from "./linear/linear-svm.ts";
import { logisticRegression } from "./linear/logistic-regression.ts";
import { nearestNeighboursClassifier, nearestNeighboursRegressor } from "./neighbours/nearest-neighbours.ts";
import {
  decisionTreeClassifier,
  decisionTreeRegressor,
  randomForestClassifier,
  randomForestRegressor,
} from "./trees/forests.ts";
import { gradientBoostingClassifier, gradientBoostingRegressor } from "./trees/gradient-boosting.ts";

/** Every estimator there is. */
export const estimators: readonly Estimator[] = [
  linearRegression,
  lasso,
  elasticNet,
  logisticRegression,
  linearSvm,
  multinomialNaiveBayes,
  gaussianNaiveBayes,
  nearestNeighboursClassifier,
  nearestNeighboursRegressor,
  decisionTreeClassifier,
  decisionTreeRegressor,
  randomForestClassifier,
  randomForestRegressor,
  gradientBoostingClassifier,
  gradientBoostingRegressor,
];

/** Throws NOT_FOUND for a name that no estimator has. */
export function estimatorNamed(name: string): Estimator {
  const found = estimators.find((estimator) => estimator.name === name);
  if (found !== undefined) return found;
  throw new AimassError("NOT_FOUND", `There is no estimator "${name}".`, {
    remedy: `Estimators are ${estimators.map((estimator) => estimator.name).join(", ")}.`,
  });
}
