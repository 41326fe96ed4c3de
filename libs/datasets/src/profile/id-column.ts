import { isPandasIndex } from "../row-name-columns.ts";

/** What a column's name and figures tell about whether it names rows. */
export interface IdFacts {
  readonly name: string;
  /** Rows with a value, rows without one, and different values (above 1024 an estimate). */
  readonly count: number;
  readonly missing: number;
  readonly distinct: number;
}

/** Figures of a column of numbers. */
export interface NumberIdFacts extends IdFacts {
  readonly integers: boolean;
  readonly minimum: number;
  readonly maximum: number;
}

/** Figures of a column of strings. */
export interface TextIdFacts extends IdFacts {
  /** Characters of the longest value. */
  readonly longest: number;
  /** Some of the values. */
  readonly samples: readonly string[];
}

/** Least share of different values: real tables have ids that come twice, and above 1024 their number is estimated. */
const nearlyAll = { named: 0.8, unnamed: 0.95 } as const;
/** A short run of numbers is too easily a measurement. */
const leastRun = 20;
const longestId = 64;

const idWords = new Set(
  "id ids uid uuid guid gid pid key pk idx index rowid rownum rowname rownames rownumber identifier serial unnamed".split(
    " ",
  ),
);
const numberWords = new Set("no nr num number nbr code".split(" "));
const things = new Set(
  (
    "row record entry item line case sample subject patient person people passenger student employee staff member user customer client " +
    "account order invoice ticket transaction payment session device product article object observation obs participant respondent " +
    "applicant policy claim contract loan booking reservation request message post review document doc file image"
  ).split(" "),
);
const glued = new RegExp(`^(?:${[...things].join("|")})s?(?:id|uid|key|idx|index|no|nr|num|number)$`);

/** Words of quantities that may well be 1, 2, 3 … in a table: a run of them is a measurement. */
const quantities = new Set(
  (
    "time date year month week weekday day hour minute second quarter period season epoch step iteration age rank ranking order place " +
    "temperature temp degree degrees angle distance depth height width length size weight mass dose concentration level score grade points " +
    "price cost amount value count total quantity qty volume speed power voltage current frequency input feature"
  ).split(" "),
);

/** Whether numbers name rows: whole, nearly all different, and called an id, or each of 0 … n−1 or 1 … n once, which no measurement is. */
export function numbersNameRows(facts: NumberIdFacts): boolean {
  if (!facts.integers || facts.count < 2) return false;
  if (isCalledId(facts.name)) return allDiffer(facts, nearlyAll.named);
  const isRun = facts.minimum >= 0 && facts.minimum <= 1 && facts.maximum - facts.minimum + 1 === facts.count;
  if (!isRun || facts.missing > 0 || facts.count < leastRun) return false;
  return allDiffer(facts, nearlyAll.unnamed) && !isQuantity(facts.name);
}

/** Whether strings name rows: nearly all different, and called an id, or words with digits, such as "A-0017" or a UUID. */
export function textsNameRows(facts: TextIdFacts): boolean {
  if (facts.count < 2 || facts.longest > longestId) return false;
  if (isCalledId(facts.name)) return allDiffer(facts, nearlyAll.named);
  if (facts.count < leastRun || !allDiffer(facts, nearlyAll.unnamed)) return false;
  return facts.samples.every((text) => /^[\w./:#@+-]*\d[\w./:#@+-]*$/.test(text) && !text.includes("//"));
}

function allDiffer({ distinct, count }: IdFacts, share: number): boolean {
  return distinct >= share * count;
}

function isCalledId(name: string): boolean {
  if (isPandasIndex(name)) return true;
  const words = wordsOf(name);
  const last = words.at(-1) ?? "";
  if (words.some((word, at) => idWords.has(word) && (at === words.length - 1 || word === "unnamed"))) return true;
  if (words.length === 1) return last === "rownames" || glued.test(last);
  return numberWords.has(last) && things.has(singular(words.at(-2) ?? ""));
}

function isQuantity(name: string): boolean {
  const words = wordsOf(name);
  return name.trim().length === 1 || words.some((word) => quantities.has(word));
}

/** "PassengerId" and "passenger_id" are both "passenger" and "id". */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== "");
}

function singular(word: string): string {
  return word.endsWith("s") ? word.slice(0, -1) : word;
}
