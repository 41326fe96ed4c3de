import type { Parameters, TextFeature } from "@aimass/learn";
import type { TextShape } from "./made-texts.ts";

/** One estimator of ours against its counterpart in scikit-learn, on the same rows with the same meaning of parameters. */
export interface Case {
  readonly name: string;
  readonly data: CaseData;
  readonly estimator: string;
  readonly parameters: Parameters;
  /** Class of scikit-learn and what it is made with; `n_jobs` becomes the threads of the run. */
  readonly counterpart: string;
  readonly arguments: Arguments;
  /** What raw texts go through first. */
  readonly features?: {
    readonly ours: Omit<TextFeature, "kind" | "column">;
    /** Arguments of TfidfVectorizer. */
    readonly theirs: Arguments;
  };
  /** How many times as long as scikit-learn ours may take; absent: the ratio is only told. */
  readonly timeGate?: number;
}

type Arguments = Readonly<Record<string, number | string | boolean | readonly number[]>>;

/** Rows of numbers; bags of words as sparse rows; or raw texts. `classes` is 0 for a regression. */
export type CaseData =
  | { readonly kind: "table" | "bags"; readonly rows: number; readonly cols: number; readonly classes: number }
  | ({ readonly kind: "texts" } & TextShape);

const table = (classes: number, rows = 100_000, cols = 50): CaseData => ({ kind: "table", rows, cols, classes });
const bags = (classes: number, rows = 100_000): CaseData => ({ kind: "bags", rows, cols: 30_000, classes });
const texts = (classes: number, script: TextShape["script"]): CaseData => ({
  ...{ kind: "texts", rows: 125_000, classes, script, words: 30_000 },
});

const gates = { linear: 1.5, boosting: 3, texts: 2 };
const logistic = {
  estimator: "logistic-regression",
  parameters: {},
  counterpart: "sklearn.linear_model.LogisticRegression",
  arguments: { max_iter: 500 },
};

const boosted = { max_iter: 100, early_stopping: false };
const ourBoosted = { iterations: 100, patience: 0 };
const forest = { n_estimators: 50, n_jobs: 2 };

export const cases: readonly Case[] = [
  {
    name: "least squares",
    data: table(0),
    estimator: "linear-regression",
    parameters: { l2: 0 },
    counterpart: "sklearn.linear_model.LinearRegression",
    arguments: {},
    timeGate: gates.linear,
  },
  {
    name: "ridge",
    data: table(0),
    estimator: "linear-regression",
    parameters: { l2: 1 },
    counterpart: "sklearn.linear_model.Ridge",
    arguments: { alpha: 1 },
    timeGate: gates.linear,
  },
  {
    name: "lasso",
    data: table(0),
    estimator: "lasso",
    parameters: { penalty: 0.01 },
    counterpart: "sklearn.linear_model.Lasso",
    arguments: { alpha: 0.01 },
    timeGate: gates.linear,
  },
  {
    name: "elastic net",
    data: table(0),
    estimator: "elastic-net",
    parameters: { penalty: 0.01 },
    counterpart: "sklearn.linear_model.ElasticNet",
    arguments: { alpha: 0.01 },
    timeGate: gates.linear,
  },
  {
    name: "logistic, 2 classes",
    data: table(2),
    ...logistic,
    timeGate: gates.linear,
  },
  {
    name: "softmax, 5 classes",
    data: table(5),
    ...logistic,
    timeGate: gates.linear,
  },
  {
    name: "linear SVM",
    data: table(2),
    estimator: "linear-svm",
    parameters: {},
    counterpart: "sklearn.svm.LinearSVC",
    arguments: { dual: "auto" },
    timeGate: gates.linear,
  },
  {
    name: "Gaussian naive Bayes",
    data: table(5),
    estimator: "gaussian-naive-bayes",
    parameters: {},
    counterpart: "sklearn.naive_bayes.GaussianNB",
    arguments: {},
  },
  {
    name: "bags of words: multinomial naive Bayes",
    data: bags(5),
    estimator: "multinomial-naive-bayes",
    parameters: {},
    counterpart: "sklearn.naive_bayes.MultinomialNB",
    arguments: {},
  },
  {
    name: "bags of words: logistic, 2 classes",
    data: bags(2),
    ...logistic,
    timeGate: gates.linear,
  },
  {
    name: "bags of words: linear SVM, 5 classes",
    data: bags(5, 50_000),
    estimator: "linear-svm",
    parameters: {},
    counterpart: "sklearn.svm.LinearSVC",
    arguments: { dual: "auto" },
    timeGate: gates.linear,
  },
  {
    name: "5 nearest neighbours",
    data: table(5, 10_000, 20),
    estimator: "nearest-neighbours-classifier",
    parameters: {},
    counterpart: "sklearn.neighbors.KNeighborsClassifier",
    arguments: { algorithm: "brute" },
  },
  {
    name: "decision tree",
    data: table(5, 50_000, 20),
    estimator: "decision-tree-classifier",
    parameters: { maxDepth: 12 },
    counterpart: "sklearn.tree.DecisionTreeClassifier",
    arguments: { max_depth: 12 },
  },
  {
    name: "random forest",
    data: table(5, 50_000, 20),
    estimator: "random-forest-classifier",
    parameters: { trees: 50 },
    counterpart: "sklearn.ensemble.RandomForestClassifier",
    arguments: forest,
  },
  {
    name: "random forest, regression",
    data: table(0, 20_000, 20),
    estimator: "random-forest-regressor",
    parameters: { trees: 50 },
    counterpart: "sklearn.ensemble.RandomForestRegressor",
    arguments: forest,
  },
  {
    name: "boosting, regression",
    data: table(0),
    estimator: "gradient-boosting-regressor",
    parameters: ourBoosted,
    counterpart: "sklearn.ensemble.HistGradientBoostingRegressor",
    arguments: boosted,
    timeGate: gates.boosting,
  },
  {
    name: "boosting, 2 classes",
    data: table(2),
    estimator: "gradient-boosting-classifier",
    parameters: ourBoosted,
    counterpart: "sklearn.ensemble.HistGradientBoostingClassifier",
    arguments: boosted,
    timeGate: gates.boosting,
  },
  {
    name: "boosting, 5 classes",
    data: table(5, 50_000, 20),
    estimator: "gradient-boosting-classifier",
    parameters: ourBoosted,
    counterpart: "sklearn.ensemble.HistGradientBoostingClassifier",
    arguments: boosted,
    timeGate: gates.boosting,
  },
  {
    name: "raw texts: TF-IDF of words + logistic, 2 classes",
    data: texts(2, "words"),
    ...logistic,
    features: { ours: {}, theirs: { max_features: 50_000 } },
    timeGate: gates.texts,
  },
  {
    name: "raw texts: TF-IDF of words and pairs + logistic, 2 classes",
    data: texts(2, "words"),
    ...logistic,
    features: { ours: { ngrams: [1, 2] }, theirs: { ngram_range: [1, 2], max_features: 50_000 } },
    timeGate: gates.texts,
  },
  {
    name: "raw texts: TF-IDF of ideographs and pairs + logistic, 2 classes",
    data: texts(2, "characters"),
    ...logistic,
    features: {
      ours: { analyzer: "characters", ngrams: [1, 2] },
      theirs: { analyzer: "char", ngram_range: [1, 2], max_features: 50_000 },
    },
    timeGate: gates.texts,
  },
];
