import type { Pacer } from "../../pacer.ts";
import type { NumericTargets } from "../../targets.ts";
import type { RowPasses } from "../row-passes.ts";
import { CentredRows } from "./centred-rows.ts";
import { type CoordinateProblem, descendOnGram, shrink } from "./coordinate-descent.ts";
import { centredGram } from "./gram.ts";

/** Columns whose products are worked out at a time. */
const largestSet = 2048;
const smallestStep = 64;

/**
 * Coordinate descent for rows that can only be read one after the other: on the products of those columns that may have a weight, until no other column wants
 * one. Two passes over the rows for each set of columns, of which there are few. Undefined when more than 2048 columns want a weight.
 */
export async function descendOnWorkingSets(
  passes: RowPasses<NumericTargets>,
  problem: CoordinateProblem,
): Promise<{ beta: Float64Array; intercept: number } | undefined> {
  const rows = await CentredRows.of(passes, problem.pacer);
  const beta = new Float64Array(passes.cols);
  for (;;) {
    const wanting = await wantingColumns(rows, beta, problem);
    if (wanting.length === 0) return { beta, intercept: rows.intercept(beta) };
    const kept = [...beta.keys()].filter((j) => beta[j] !== 0);
    const room = largestSet - kept.length;
    if (room <= 0) return undefined;
    const added = wanting.slice(0, Math.min(room, Math.max(smallestStep, 2 * kept.length)));
    const columns = Uint32Array.from([...kept, ...added]).sort();
    await descendOn(columns, beta, { passes, problem, pacer: problem.pacer });
  }
}

/** Columns without a weight that would move predictions by more than the tolerance if they had the best one; those that would most stand first. */
async function wantingColumns(rows: CentredRows, beta: Float64Array, problem: CoordinateProblem): Promise<number[]> {
  const { squares, total, targetSquares } = rows.known;
  const slopes = await rows.residualProducts(beta);
  const moves = slopes.map((slope, j) => {
    if (beta[j] !== 0 || squares[j] === 0) return 0;
    const weight = shrink(slope, total * problem.l1) / (squares[j]! + total * problem.l2);
    return Math.abs(weight) * Math.sqrt(squares[j]! / total);
  });
  const least = problem.tolerance * Math.sqrt(targetSquares / total);
  return [...moves.keys()].filter((j) => moves[j]! > least).sort((a, b) => moves[b]! - moves[a]!);
}

interface Descent {
  readonly passes: RowPasses<NumericTargets>;
  readonly problem: CoordinateProblem;
  readonly pacer: Pacer;
}

async function descendOn(columns: Uint32Array, beta: Float64Array, { passes, problem, pacer }: Descent): Promise<void> {
  const gram = await centredGram(passes, pacer, columns);
  const start = Float64Array.from(columns, (column) => beta[column]!);
  const found = await descendOnGram(gram, { ...problem, start });
  columns.forEach((column, k) => {
    beta[column] = found[k]!;
  });
}
