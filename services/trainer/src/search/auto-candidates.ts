import type { Task } from "@aimass/learn";
import { autoRecipe } from "../recipes/auto-recipe.ts";
import type { EstimatorRecipe } from "../recipes/recipe.ts";

/** What matters of the data when recipes are chosen. */
export interface DataFacts {
  readonly task: Task;
  /** Rows that a trial is fitted to. */
  readonly rows: number;
  /** Numbers a row becomes. */
  readonly features: number;
  /** Columns by what they hold. */
  readonly tables: number;
  readonly texts: number;
  readonly images: number;
  /** Of a classification. */
  readonly classes: number;
}

/** A recipe that is not tried, and why. */
export interface Excluded {
  readonly recipe: string;
  /** The end of a sentence that begins with the recipe's name. */
  readonly reason: string;
}

export interface AutoCandidates {
  /** In the order to try them: quick and strong ones first. */
  readonly recipes: readonly EstimatorRecipe[];
  readonly excluded: readonly Excluded[];
}

/** Orders to try recipes in: the quickest first, then by how often they are the best on such data for their time. */
const orders: Readonly<Record<"table" | "text" | "image", readonly string[]>> = {
  table: [
    "ridge",
    "logistic-regression",
    "gradient-boosting",
    "random-forest",
    "naive-bayes-gaussian",
    "elastic-net",
    "linear-svm",
    "k-nearest-neighbours",
    "decision-tree",
    "lasso",
    "naive-bayes-multinomial",
  ],
  text: [
    "naive-bayes-multinomial",
    "ridge",
    "logistic-regression",
    "linear-svm",
    "gradient-boosting",
    "random-forest",
    "elastic-net",
    "lasso",
    "k-nearest-neighbours",
    "decision-tree",
    "naive-bayes-gaussian",
  ],
  image: [
    "naive-bayes-gaussian",
    "ridge",
    "logistic-regression",
    "k-nearest-neighbours",
    "random-forest",
    "linear-svm",
    "gradient-boosting",
    "decision-tree",
    "elastic-net",
    "lasso",
    "naive-bayes-multinomial",
  ],
};

/** The simplest models first: decides between equal scores. */
export const simplestRecipes: readonly string[] = [
  "linear",
  "ridge",
  "lasso",
  "elastic-net",
  "logistic-regression",
  "naive-bayes-multinomial",
  "naive-bayes-gaussian",
  "linear-svm",
  "decision-tree",
  "k-nearest-neighbours",
  "random-forest",
  "gradient-boosting",
];

/** Cells of a matrix without gaps: 1 GiB. */
const mostDenseCells = 2 ** 28;
/** Cells that a model may carry with it. */
const mostKeptCells = 2 ** 24;
/** Differences of numbers that comparing every row with every row may take: some seconds. */
const mostComparisons = 2e10;
const mostBoostedClasses = 50;
const fewestBoostedRows = 60;

/** Chooses among recipes for data. Those that `only` names are tried, whatever speaks against them; empty: all that suit. */
export function autoCandidates(
  recipes: readonly EstimatorRecipe[],
  facts: DataFacts,
  only: readonly string[] = [],
): AutoCandidates {
  const excluded: Excluded[] = [];
  const suitable: EstimatorRecipe[] = [];
  for (const recipe of recipes) {
    if (recipe === autoRecipe || !recipe.tasks.includes(facts.task)) continue;
    if (only.length > 0 && !only.includes(recipe.name)) continue;
    const reason = only.length > 0 ? undefined : whyNot(recipe, facts);
    if (reason !== undefined) excluded.push({ recipe: recipe.name, reason });
    else suitable.push(recipe);
  }
  const order = orders[kindOf(facts)];
  const rank = ({ name }: EstimatorRecipe) => (order.includes(name) ? order.indexOf(name) : order.length);
  return { recipes: suitable.sort((a, b) => rank(a) - rank(b)), excluded };
}

function kindOf({ texts, images }: DataFacts): "table" | "text" | "image" {
  if (images > 0) return "image";
  return texts > 0 ? "text" : "table";
}

type Rule = (recipe: EstimatorRecipe, facts: DataFacts) => string | undefined;

function whyNot(recipe: EstimatorRecipe, facts: DataFacts): string | undefined {
  for (const rule of rules) {
    const reason = rule(recipe, facts);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

const rules: readonly Rule[] = [
  numbersOnly,
  countsOnly,
  tooWide,
  tooManyCells,
  tooManyComparisons,
  tooManyTrees,
  tooFewRows,
  tooFewClasses,
];

function numbersOnly({ numbersOnly: isSo }: EstimatorRecipe): string | undefined {
  return isSo ? "does over columns of numbers what ridge does over any" : undefined;
}

function countsOnly({ nonNegative }: EstimatorRecipe, { texts, images }: DataFacts): string | undefined {
  if (!nonNegative || (texts > 0 && images === 0)) return undefined;
  return "is for counts of words, and there is no text";
}

/** Words are thousands of features that are nearly all 0; what writes every cell out sees only the most frequent ones. */
function tooWide({ estimators }: EstimatorRecipe, facts: DataFacts): string | undefined {
  if (estimators[facts.task]?.sparse === true || facts.texts === 0 || facts.tables > 0) return undefined;
  return "cannot use rows of many words that are nearly all absent";
}

function tooManyCells({ estimators }: EstimatorRecipe, { task, rows, features, texts }: DataFacts): string | undefined {
  if (texts > 0 || rows * features <= mostDenseCells || estimators[task]?.fitStream !== undefined) return undefined;
  return `would need ${rows} rows × ${features} features in memory at once`;
}

function tooManyComparisons({ name }: EstimatorRecipe, { rows, features }: DataFacts): string | undefined {
  if (name !== "k-nearest-neighbours") return undefined;
  if (rows * features > mostKeptCells) return `would keep ${rows} rows × ${features} features in the model`;
  if (rows * rows * features <= mostComparisons) return undefined;
  return `would compare ${rows} rows with one another`;
}

function tooManyTrees({ name }: EstimatorRecipe, { classes }: DataFacts): string | undefined {
  if (name !== "gradient-boosting" || classes <= mostBoostedClasses) return undefined;
  return `would grow ${classes} trees at a time, one for each class`;
}

function tooFewRows({ name }: EstimatorRecipe, { rows }: DataFacts): string | undefined {
  if (name !== "gradient-boosting" || rows >= fewestBoostedRows) return undefined;
  return `needs at least ${fewestBoostedRows} training rows for its leaves of 20, and there are ${rows}`;
}

/** Variances of a class of one row are not known. */
function tooFewClasses({ name }: EstimatorRecipe, { rows, classes }: DataFacts): string | undefined {
  if (name !== "naive-bayes-gaussian" || rows >= 2 * classes) return undefined;
  return `needs at least two rows of each of ${classes} classes`;
}
