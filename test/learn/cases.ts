import type { Parameters } from "@aimass/learn";

/** One estimator of ours against its counterpart in scikit-learn, on the same rows with the same meaning of parameters. */
export interface Case {
  readonly name: string;
  readonly data: CaseData;
  readonly estimator: string;
  readonly parameters: Parameters;
  /** Class of scikit-learn and what it is made with. */
  readonly counterpart: string;
  readonly arguments: Readonly<Record<string, number | string | boolean>>;
}

export interface CaseData {
  readonly kind: "table" | "text";
  readonly rows: number;
  readonly cols: number;
  /** 0 for a regression. */
  readonly classes: number;
}

const table = (classes: number, rows = 100_000, cols = 50): CaseData => ({ kind: "table", rows, cols, classes });
const text = (classes: number): CaseData => ({ kind: "text", rows: 100_000, cols: 30_000, classes });

const boosted = { max_iter: 100, early_stopping: false, random_state: 1 };
const ourBoosted = { iterations: 100, patience: 0 };
const forest = { n_estimators: 50, n_jobs: 2, random_state: 1 };

export const cases: readonly Case[] = [
  {
    name: "least squares",
    data: table(0),
    estimator: "linear-regression",
    parameters: { l2: 0 },
    counterpart: "sklearn.linear_model.LinearRegression",
    arguments: {},
  },
  {
    name: "ridge",
    data: table(0),
    estimator: "linear-regression",
    parameters: { l2: 1 },
    counterpart: "sklearn.linear_model.Ridge",
    arguments: { alpha: 1 },
  },
  {
    name: "lasso",
    data: table(0),
    estimator: "lasso",
    parameters: { penalty: 0.01 },
    counterpart: "sklearn.linear_model.Lasso",
    arguments: { alpha: 0.01 },
  },
  {
    name: "elastic net",
    data: table(0),
    estimator: "elastic-net",
    parameters: { penalty: 0.01 },
    counterpart: "sklearn.linear_model.ElasticNet",
    arguments: { alpha: 0.01 },
  },
  {
    name: "logistic, 2 classes",
    data: table(2),
    estimator: "logistic-regression",
    parameters: {},
    counterpart: "sklearn.linear_model.LogisticRegression",
    arguments: { max_iter: 500 },
  },
  {
    name: "softmax, 5 classes",
    data: table(5),
    estimator: "logistic-regression",
    parameters: {},
    counterpart: "sklearn.linear_model.LogisticRegression",
    arguments: { max_iter: 500 },
  },
  {
    name: "linear SVM",
    data: table(2),
    estimator: "linear-svm",
    parameters: {},
    counterpart: "sklearn.svm.LinearSVC",
    arguments: { dual: "auto" },
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
    name: "text: multinomial naive Bayes",
    data: text(5),
    estimator: "multinomial-naive-bayes",
    parameters: {},
    counterpart: "sklearn.naive_bayes.MultinomialNB",
    arguments: {},
  },
  {
    name: "text: logistic, 2 classes",
    data: text(2),
    estimator: "logistic-regression",
    parameters: {},
    counterpart: "sklearn.linear_model.LogisticRegression",
    arguments: { max_iter: 500 },
  },
  {
    name: "text: linear SVM, 5 classes",
    data: text(5),
    estimator: "linear-svm",
    parameters: {},
    counterpart: "sklearn.svm.LinearSVC",
    arguments: { dual: "auto" },
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
    arguments: { max_depth: 12, random_state: 1 },
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
  },
  {
    name: "boosting, 2 classes",
    data: table(2),
    estimator: "gradient-boosting-classifier",
    parameters: ourBoosted,
    counterpart: "sklearn.ensemble.HistGradientBoostingClassifier",
    arguments: boosted,
  },
  {
    name: "boosting, 5 classes",
    data: table(5, 50_000, 20),
    estimator: "gradient-boosting-classifier",
    parameters: ourBoosted,
    counterpart: "sklearn.ensemble.HistGradientBoostingClassifier",
    arguments: boosted,
  },
];
