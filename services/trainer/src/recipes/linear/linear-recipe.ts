import { AimassError } from "@aimass/core";
import type { FitInput, FittedModel, StreamedRecipe } from "../recipe.ts";
import { solveCholesky } from "./cholesky.ts";
import { Comoments } from "./comoments.ts";
import { linearGraph } from "./linear-graph.ts";
import { LinearModel } from "./linear-model.ts";

/**
 * Ridge regression in closed form: minimises Σ(y − b − z·w)² + l2·|w|² over standardised features z, so that l2 means the same whatever the units are.
 * l2 = 0 is ordinary least squares. One pass over the data, memory quadratic in the number of features and constant in that of rows.
 */
export const linearRecipe: StreamedRecipe = {
  kind: "streamed",
  name: "linear",
  tasks: ["regression"],
  description: "Linear (ridge) regression in closed form. Fast, exact, and a baseline for everything else.",
  parameters: [
    {
      name: "l2",
      description: "Strength of the penalty on squared weights of standardised features; 0 is ordinary least squares.",
      defaultValue: 1,
      minimum: 0,
      maximum: 1e9,
    },
  ],
  fit: fitLinear,
};

async function fitLinear({ table, parameters, report, signal }: FitInput): Promise<FittedModel> {
  const { features } = table;
  const moments = new Comoments(features.length + 1);
  const joint = new Float64Array(features.length + 1);
  let row = 0;
  for await (const { values, target } of table.rows(signal)) {
    joint.set(values);
    joint[features.length] = target;
    moments.add(joint);
    if (++row % 1000 === 0) report.progress(row / table.rowCount, "fitting");
  }
  const kept = usableColumns(moments, features, (line) => report.log(line));
  const weights = solve(moments, kept, { features, l2: parameters.l2 ?? 0 });
  const model = LinearModel.fromFit(moments, kept, weights);
  for (const [j, name] of features.entries()) {
    report.log(
      `${name}: weight ${format(model.weights[j] ?? 0)} for one standard deviation (${format(model.scales[j] ?? 1)})`,
    );
  }
  return { predict: (values) => model.predict(values), toOnnx: () => linearGraph(model, features) };
}

/** Indices of the columns that vary. A constant one cannot be told from the intercept: it keeps its place in the input, with weight 0. */
function usableColumns(moments: Comoments, features: readonly string[], log: (line: string) => void): number[] {
  const kept: number[] = [];
  for (const [j, name] of features.entries()) {
    if (moments.isConstant(j))
      log(`The column "${name}" is ${format(moments.mean(j))} in every training row; it gets weight 0.`);
    else kept.push(j);
  }
  return kept;
}

function solve(
  moments: Comoments,
  kept: readonly number[],
  { features, l2 }: { features: readonly string[]; l2: number },
): Float64Array {
  const size = kept.length;
  const target = features.length;
  const matrix = new Float64Array(size * size);
  const right = new Float64Array(size);
  const root = (j: number) => Math.sqrt(moments.comoment(j, j));
  const n = moments.count;
  // With z = (x − mean) / sd, ZᵀZ is n times the correlation matrix; the penalty goes onto its diagonal.
  for (const [a, i] of kept.entries()) {
    for (const [b, j] of kept.entries()) {
      matrix[a * size + b] = (n * moments.comoment(i, j)) / (root(i) * root(j)) + (a === b ? l2 : 0);
    }
    right[a] = (Math.sqrt(n) * moments.comoment(i, target)) / root(i);
  }
  const solution = solveCholesky(matrix, right);
  if (solution.ok) return solution.x;
  const name = features[kept[solution.column] as number];
  throw new AimassError("FAILED_PRECONDITION", `The column "${name}" is a combination of the columns before it.`, {
    reason: "SINGULAR",
    field: "spec.features",
    remedy: `Leave "${name}" out of the features, or set l2 above 0.`,
  });
}

function format(value: number): string {
  return Number(value.toPrecision(6)).toString();
}
