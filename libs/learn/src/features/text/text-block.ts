import type { SparseMatrix } from "../../matrix.ts";
import type { Block, BlockFit, BlockJson } from "../block.ts";
import { type Batch, stringsOf } from "../columns.ts";
import { CsrBuilder } from "../csr-builder.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import type { TextFeature } from "../plan.ts";
import { DocumentCounts } from "./document-counts.ts";
import { Normaliser } from "./normaliser.ts";
import { addTextToGraph } from "./text-graph.ts";
import type { TextSettings, TextState } from "./text-state.ts";
import { characterTokens, type Tokeniser, wordTokens } from "./tokeniser.ts";
import { chooseTerms, TermCounter } from "./vocabulary.ts";

/** Of a value, in shares of it. */
const lastBits = 2 ** -20;
/** 1 + ln of the count of a term that makes up a text of megabytes. */
const largestLogarithm = 16;

/** TF-IDF: for each term its count in the text (or 1 + ln of it) times its weight, rows brought to length 1. */
export class TextBlock implements Block {
  readonly width: number;
  private readonly state: TextState;
  private readonly weights: Float32Array;
  private readonly normaliser: Normaliser;
  private readonly tokens: Tokeniser;
  private readonly counter: TermCounter;

  constructor(state: TextState) {
    this.state = state;
    this.width = state.terms.length;
    this.weights = Float32Array.from(state.weights);
    this.normaliser = normaliserFor(state);
    this.tokens = tokeniserFor(state);
    this.counter = new TermCounter(state.terms, this.weights);
  }

  static fit(spec: TextFeature): TextBlockFit {
    return new TextBlockFit(spec);
  }

  /** Logarithms and lengths differ in their last bits; a count times a weight does not. */
  get tolerance(): number {
    const { norm, sublinear } = this.state;
    if (norm !== "none") return lastBits;
    return sublinear
      ? lastBits * largestLogarithm * this.weights.reduce((most, weight) => Math.max(most, weight), 0)
      : 0;
  }

  get density(): number {
    return Math.min(1, 20 / Math.max(this.width, 1));
  }

  names(): string[] {
    const { column, terms, analyzer } = this.state;
    return terms.map((words) => `${column}:${words.join(analyzer === "words" ? " " : "")}`);
  }

  transform(batch: Batch): SparseMatrix {
    const rows = new CsrBuilder(batch.rows, this.width);
    for (const text of stringsOf(batch, this.state.column)) {
      this.tokens(this.normaliser.normalise(text), this.counter.token);
      this.counter.endText(rows, this.weigh);
    }
    return rows.finish();
  }

  addToGraph(graph: FeatureGraph): string {
    return addTextToGraph(graph, this.state);
  }

  toJson(): BlockJson {
    return { block: "text", state: this.state };
  }

  /** Turns counts into weights in place, in FP32 like the graph. */
  private readonly weigh = (columns: Uint32Array, values: Float32Array): void => {
    const { sublinear, norm } = this.state;
    let squares = 0;
    for (let i = 0; i < values.length; i++) {
      const count = values[i] as number;
      values[i] =
        (sublinear ? Math.fround(1 + Math.log(count)) : count) * (this.weights[columns[i] as number] as number);
      squares += (values[i] as number) ** 2;
    }
    if (norm === "none" || squares === 0) return;
    const length = Math.fround(Math.sqrt(squares));
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / length;
  };
}

class TextBlockFit implements BlockFit {
  private readonly spec: TextFeature;
  private readonly settings: TextSettings;
  private readonly counts: DocumentCounts;
  private readonly normaliser: Normaliser;
  private readonly tokens: Tokeniser;
  private readonly ngrams: readonly [number, number];

  constructor(spec: TextFeature) {
    const { column, analyzer = "words", accents = "keep", minWordLength = 2, sublinear = false, norm = "l2" } = spec;
    this.spec = spec;
    this.settings = { column, analyzer, accents, minWordLength, sublinear, norm };
    this.ngrams = spec.ngrams ?? (analyzer === "words" ? [1, 1] : [1, 3]);
    this.normaliser = normaliserFor(this.settings);
    this.tokens = tokeniserFor(this.settings);
    const stopWords = (spec.stopWords ?? []).map((word) => this.normaliser.normalise(word));
    this.counts = new DocumentCounts(this.ngrams[1], new Set(stopWords));
  }

  add(batch: Batch): void {
    const count = (word: string) => this.counts.token(word);
    for (const text of stringsOf(batch, this.settings.column)) {
      this.counts.beginText();
      this.tokens(this.normaliser.normalise(text), count);
    }
  }

  merge(other: TextBlockFit): void {
    this.counts.merge(other.counts);
  }

  finish(): TextBlock {
    const { minDocuments = 1, maxDocumentShare = 1, maxTerms = 50_000, idf = true } = this.spec;
    const terms = chooseTerms(this.counts, { shortest: this.ngrams[0], minDocuments, maxDocumentShare, maxTerms });
    const texts = this.counts.documents;
    const weight = (documents: number) => (idf ? Math.log((1 + texts) / (1 + documents)) + 1 : 1);
    return new TextBlock({
      ...this.settings,
      terms: terms.map((term) => term.words),
      weights: terms.map((term) => Math.fround(weight(term.documents))),
    });
  }
}

/** Runs of spaces matter only where spaces are tokens. */
function normaliserFor({ accents, analyzer }: TextSettings): Normaliser {
  return new Normaliser(accents, analyzer === "characters");
}

function tokeniserFor({ analyzer, minWordLength }: TextSettings): Tokeniser {
  return analyzer === "words" ? wordTokens(minWordLength) : characterTokens;
}
