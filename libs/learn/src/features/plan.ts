import type { ReadColumn } from "./column-reading.ts";
import type { ColumnType } from "./columns.ts";
import type { DatePart } from "./dates/date-parts.ts";

/** One number: imputed, scaled, and with a second feature that says where it was missing. */
export interface NumberFeature {
  readonly kind: "number";
  readonly column: string;
  /** What stands for a missing value; "median" unless given. */
  readonly impute?: "mean" | "median" | "mostFrequent" | { readonly constant: number };
  /** A feature that is 1 where the value was missing; "auto" (the default) if any was in training. */
  readonly indicator?: boolean | "auto";
  /** "standard" (mean 0, deviation 1) unless given; "minMax" to 0…1; "robust" by median and quartiles. */
  readonly scale?: "standard" | "minMax" | "robust" | "none";
}

/** One feature for each frequent category of a string, number or boolean column. */
export interface OneHotFeature {
  readonly kind: "oneHot";
  readonly column: string;
  /** The most frequent ones kept; 200 unless given. The others share one feature, "other". */
  readonly maxCategories?: number;
  /** How often a category must occur to be kept; 2 unless given. */
  readonly minCount?: number;
  /** Missing values are a category of their own ("category", the default), the most frequent one, or the one given. */
  readonly impute?: "category" | "mostFrequent" | { readonly constant: string | number };
  /** What a category is that training did not see: as rare ones ("other", the default), the most frequent one, or none: no feature of the column is 1. */
  readonly unknown?: "other" | "none" | "frequent";
}

/** Categories by hash (MurmurHash3, 32 bits, of the UTF-8 bytes) into a fixed number of features: for many categories. */
export interface HashFeature {
  readonly kind: "hash";
  readonly column: string;
  /** 256 unless given. */
  readonly bins?: number;
  readonly seed?: number;
}

/** One feature for each range of a number, and one for missing. */
export interface BucketFeature {
  readonly kind: "bucket";
  readonly column: string;
  /** Number of ranges with about equally many rows; 10 unless given. */
  readonly buckets?: number;
  /** The edges themselves, ascending: n edges make n + 1 ranges, each with its lower edge. */
  readonly edges?: readonly number[];
}

/** One feature for each pair of values of two discrete features. */
export interface CrossFeature {
  readonly kind: "cross";
  readonly of: readonly [OneHotFeature | BucketFeature, OneHotFeature | BucketFeature];
  /** With more pairs than this (1024 unless given) pairs share features by hash. */
  readonly maxFeatures?: number;
}

/** TF-IDF weights of the words or characters of a text and of their sequences. */
export interface TextFeature {
  readonly kind: "text";
  readonly column: string;
  /** "words" unless given; "characters" for languages without spaces, for names and for noisy text. */
  readonly analyzer?: "words" | "characters";
  /** Shortest and longest sequence, at most 8; [1, 1] for words and [1, 3] for characters unless given. */
  readonly ngrams?: readonly [number, number];
  /** "strip" takes accents off; "keep" unless given. */
  readonly accents?: "keep" | "strip";
  /** Characters a word needs (Chinese and Japanese characters and emoji are always words); 2 unless given. */
  readonly minWordLength?: number;
  /** Words left out. A sequence does not go across them. */
  readonly stopWords?: readonly string[];
  /** Texts a term must occur in; 1 unless given. */
  readonly minDocuments?: number;
  /** Largest share of texts a term may occur in; 1 unless given. */
  readonly maxDocumentShare?: number;
  /** Terms kept, those in most texts; 50 000 unless given. */
  readonly maxTerms?: number;
  /** 1 + ln(count) instead of the count; false unless given. */
  readonly sublinear?: boolean;
  /** Weights by rarity, ln((1 + texts) / (1 + texts with the term)) + 1; true unless given. */
  readonly idf?: boolean;
  /** "l2" (length 1 for each text) unless given. */
  readonly norm?: "l2" | "none";
}

/** Pixels of a picture brought to one size, and the shares of its colours. */
export interface ImageFeature {
  readonly kind: "image";
  readonly column: string;
  /** Height and width; [32, 32] unless given. Triangle filter with antialiasing. */
  readonly size?: readonly [number, number];
  readonly channels?: "rgb" | "grey";
  /** false leaves the pixels out. */
  readonly pixels?: boolean;
  /** "unit" (0…1) unless given; "standard" by the mean and deviation of each channel. */
  readonly scale?: "unit" | "standard";
  /** Bins for each of the three channels of the picture before resizing; 0 (none) unless given. */
  readonly histogram?: number;
}

/** Parts of a day or a moment, and how much time has passed since. */
export interface DateFeature {
  readonly kind: "date";
  readonly column: string;
  /** What it becomes; those that the encoding suits and that the training rows last long enough for unless given. */
  readonly parts?: readonly DatePart[];
  /** "ordered" unless given: numbers, as trees take them; "circles" for models that only weigh: one feature a month and a weekday, and points on circles. */
  readonly encoding?: "ordered" | "circles";
  /** Whether no feature may be below 0. */
  readonly nonNegative?: boolean;
}

export type FeatureSpec =
  | NumberFeature
  | OneHotFeature
  | HashFeature
  | BucketFeature
  | CrossFeature
  | TextFeature
  | ImageFeature
  | DateFeature;

export interface PlanColumn extends ReadColumn {
  readonly type: ColumnType;
}

/** What is to be made of which columns. Columns no feature names are not asked for when serving. */
export interface FeaturePlan {
  readonly columns: readonly PlanColumn[];
  readonly features: readonly FeatureSpec[];
  /** Sentences for people, for instance why a column is not used. */
  readonly notes?: readonly string[];
}

/** The columns a feature reads. */
export function columnsOf(spec: FeatureSpec): readonly string[] {
  return spec.kind === "cross" ? spec.of.map((part) => part.column) : [spec.column];
}
