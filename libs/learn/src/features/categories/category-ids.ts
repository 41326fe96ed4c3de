import type { BlockJson } from "../block.ts";
import { type Batch, type ColumnType, numbersOf, stringsOf } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import type { OneHotFeature } from "../plan.ts";
import { FrequentValues } from "../statistics/frequent-values.ts";
import type { Discrete, DiscreteFit } from "./discrete.ts";

/** A category as the graph sees it: a string, or a number in FP32. Missing is "" and NaN. */
type Category = string | number;

interface State {
  readonly column: string;
  readonly type: ColumnType;
  readonly categories: readonly Category[];
  /** What a missing value is: the category at that place; `categories.length` is "missing" where that is a category, else "other". */
  readonly missing: number;
  readonly missingIsCategory: boolean;
  /** Whether rare categories were seen in training. */
  readonly sawRare: boolean;
  /** What a category is that training did not see; "other" unless given. */
  readonly unknown?: NonNullable<OneHotFeature["unknown"]>;
  /** Where that is not "other": rare categories that training did see. */
  readonly rare?: readonly Category[];
}

/** Rare categories that are told from unknown ones; with more, the rest counts as unknown, in training as in serving. */
const mostRare = 10_000;

/**
 * Categories in the order of their frequency, then "missing" where it is one, then "other" for rare ones, and for unknown ones unless they are to be the most
 * frequent category or none; then "unknown" where they are none.
 */
export class CategoryIds implements Discrete {
  readonly size: number;
  private readonly state: State;
  private readonly places: Map<Category, number>;
  private readonly other: number;
  private readonly unknown: number;

  constructor(state: State) {
    const { categories, rare = [], unknown = "other" } = state;
    this.state = state;
    this.other = categories.length + Number(state.missingIsCategory);
    this.size = this.other + 1 + Number(unknown === "none");
    const frequent = categories.length > 0 ? 0 : this.other;
    this.unknown = { other: this.other, frequent, none: this.other + 1 }[unknown];
    this.places = new Map(categories.map((category, place) => [category, place]));
    for (const category of rare) this.places.set(category, this.other);
  }

  static fit(spec: OneHotFeature, type: ColumnType): CategoryIdsFit {
    return new CategoryIdsFit(spec, type);
  }

  /** How many of the last ids get no feature: "unknown" where it is none of the categories, and before it "other" where training had none. */
  get featureless(): number {
    return Number(this.state.unknown === "none") + Number(!this.state.sawRare);
  }

  labels(): string[] {
    const { column, categories, missingIsCategory, unknown } = this.state;
    const names = categories.map((category) => `${column}=${category}`);
    return [
      ...names,
      ...(missingIsCategory ? [`${column}=missing`] : []),
      `${column}=other`,
      ...(unknown === "none" ? [`${column}=unknown`] : []),
    ];
  }

  ids(batch: Batch): Uint32Array {
    const { column, type, missing } = this.state;
    const values = categoriesOf(batch, column, type);
    const ids = new Uint32Array(values.length);
    for (let row = 0; row < ids.length; row++) {
      const value = values[row] as Category;
      ids[row] = isMissing(value) ? missing : (this.places.get(value) ?? this.unknown);
    }
    return ids;
  }

  /** Rows with a value that is none of the categories that were learnt. */
  strangers(batch: Batch): { readonly column: string; readonly rows: number } {
    const { column, type } = this.state;
    let rows = 0;
    for (const value of categoriesOf(batch, column, type)) {
      if (!isMissing(value) && !this.places.has(value)) rows++;
    }
    return { column, rows };
  }

  addToGraph(graph: FeatureGraph): string {
    const { column, type, missing } = this.state;
    const categories = [...this.places.keys()];
    const values = { ints: [...this.places.values(), missing] };
    const other = { int: this.unknown };
    if (type === "string") {
      const keys = { strings: [...(categories as string[]), ""] };
      return graph.node("LabelEncoder", [graph.valueOf(column)], {
        keys_strings: keys,
        values_int64s: values,
        default_int64: other,
      });
    }
    const value = graph.valueOf(column);
    const known = graph.node("Where", [graph.node("IsInf", [value]), graph.floats([Number.NaN]), value]);
    const keys = { floats: [...(categories as number[]), Number.NaN] };
    return graph.node("LabelEncoder", [known], { keys_floats: keys, values_int64s: values, default_int64: other });
  }

  toJson(): BlockJson {
    return { block: "categories", state: this.state };
  }
}

class CategoryIdsFit implements DiscreteFit {
  private readonly spec: OneHotFeature;
  private readonly type: ColumnType;
  private readonly counts = new FrequentValues<Category>();
  private missing = 0;

  constructor(spec: OneHotFeature, type: ColumnType) {
    this.spec = spec;
    this.type = type;
  }

  add(batch: Batch): void {
    for (const value of categoriesOf(batch, this.spec.column, this.type)) {
      if (isMissing(value)) this.missing++;
      else this.counts.add(value);
    }
  }

  merge(other: CategoryIdsFit): void {
    this.missing += other.missing;
    this.counts.merge(other.counts);
  }

  finish(): CategoryIds {
    const { column, maxCategories = 200, minCount = 2, impute = "category", unknown = "other" } = this.spec;
    const frequent = this.counts.sorted();
    const kept = frequent.filter(([, count]) => count + this.counts.error >= minCount).slice(0, maxCategories);
    const categories = kept.map(([category]) => category);
    const names = new Set(categories);
    const others = frequent.map(([category]) => category).filter((category) => !names.has(category));
    const missingIsCategory = impute === "category" && this.missing > 0;
    return new CategoryIds({
      column,
      type: this.type,
      categories,
      missing: missingIsCategory ? categories.length : this.imputed(categories, impute),
      missingIsCategory,
      sawRare: kept.length < frequent.length || this.counts.error > 0,
      ...(unknown === "other" ? {} : { unknown, rare: others.slice(0, mostRare) }),
    });
  }

  private imputed(categories: readonly Category[], impute: NonNullable<OneHotFeature["impute"]>): number {
    const replacement = typeof impute === "object" ? asCategory(impute.constant, this.type) : categories[0];
    const place = replacement === undefined || impute === "category" ? -1 : categories.indexOf(replacement);
    return place === -1 ? categories.length : place;
  }
}

function categoriesOf(batch: Batch, column: string, type: ColumnType): ArrayLike<Category> & Iterable<Category> {
  return type === "string" ? stringsOf(batch, column) : numbersOf(batch, column);
}

function asCategory(value: Category, type: ColumnType): Category {
  return type === "string" ? String(value) : Math.fround(Number(value));
}

function isMissing(value: Category): boolean {
  return value === "" || Number.isNaN(value);
}
