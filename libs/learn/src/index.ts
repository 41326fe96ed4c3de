export {
  type ChoiceSpec,
  declareOutputs,
  type Estimator,
  type FitOptions,
  type Fitted,
  type GraphOutput,
  graphDomains,
  type NumberSpec,
  type ParameterSpec,
  type Parameters,
  type RowBatch,
  type RowStream,
  type Task,
} from "./estimator.ts";
export { estimatorNamed, estimators } from "./estimators/catalogue.ts";
export * from "./features/index.ts";
export type { DenseMatrix, Matrix, SparseMatrix } from "./matrix.ts";
export { type Json, type PackedArray, packArray, unpackArray } from "./packed-array.ts";
export { resolveParameters } from "./parameters.ts";
export { Random } from "./random.ts";
export type {
  ClassLabels,
  ClassPrediction,
  ClassTargets,
  NumericPrediction,
  NumericTargets,
  Prediction,
  Targets,
} from "./targets.ts";
