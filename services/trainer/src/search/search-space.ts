import { type ParameterSpec, Random } from "@aimass/learn";
import type { GivenParameters } from "../recipes/recipe-parameters.ts";

/** Values that one parameter may be given. */
export type Dimension =
  | {
      readonly kind: "number" | "integer";
      readonly name: string;
      readonly scale: "linear" | "log";
      /** Inclusive. */
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: "words"; readonly name: string; readonly words: readonly string[] };

/** A range as a job's spec has it (SearchRange). */
export interface GivenRange {
  readonly from: number;
  readonly to: number;
  readonly scale: string;
  readonly words: readonly string[];
}

/** Where a search looks for parameters of one recipe. */
export interface SearchSpace {
  readonly dimensions: readonly Dimension[];
  /** Given parameters: they stay as they are, unless a dimension has their name, and are where a search begins. */
  readonly given: GivenParameters;
}

export interface SpaceOptions {
  readonly given: GivenParameters;
  /** With any range only the parameters named are searched; else those that say where to look, without the given ones. */
  readonly ranges: Readonly<Record<string, GivenRange>>;
}

/** The space of an estimator's parameters. Ranges must have been checked. */
export function searchSpace(specs: readonly ParameterSpec[], { given, ranges }: SpaceOptions): SearchSpace {
  const named = specs.filter(({ name }) => name in ranges);
  if (Object.keys(ranges).length > 0) {
    return { dimensions: named.map((spec) => givenDimension(spec, ranges[spec.name] as GivenRange)), given };
  }
  const free = specs.filter(({ name }) => !(name in given.parameters || name in given.choices));
  return { dimensions: free.flatMap(ownDimension), given };
}

function givenDimension(spec: ParameterSpec, { from, to, scale, words }: GivenRange): Dimension {
  const { name } = spec;
  if (spec.kind === "choice") return { kind: "words", name, words: words.length > 0 ? words : spec.choices };
  return { kind: spec.kind, name, scale: scale === "log" ? "log" : "linear", from, to };
}

function ownDimension(spec: ParameterSpec): Dimension[] {
  const { name, search } = spec;
  if (search === undefined || search === false) return [];
  if (spec.kind === "choice") return [{ kind: "words", name, words: spec.choices }];
  return typeof search === "object" ? [{ kind: spec.kind, name, ...search }] : [];
}

const mostDraws = 50;

/**
 * Points of a space: the given parameters alone first, then points at random, evenly in their scale. The point at an index depends on the seed, the index
 * and the ones before it alone. No point comes twice, so that a small space gives fewer than `count`.
 */
export function samplePoints(space: SearchSpace, count: number, seed: bigint): readonly GivenParameters[] {
  const points = [space.given];
  const seen = new Set([JSON.stringify(space.given)]);
  const random = new Random(Number(BigInt.asUintN(53, seed)));
  for (let index = 1; index < count && space.dimensions.length > 0; index++) {
    const own = random.fork(index);
    for (let draw = 0; draw < mostDraws; draw++) {
      const point = drawPoint(space, own);
      const text = JSON.stringify(point);
      if (seen.has(text)) continue;
      seen.add(text);
      points.push(point);
      break;
    }
  }
  return points;
}

function drawPoint({ dimensions, given }: SearchSpace, random: Random): GivenParameters {
  const parameters: Record<string, number> = { ...given.parameters };
  const choices: Record<string, string> = { ...given.choices };
  for (const dimension of dimensions) {
    if (dimension.kind === "words") {
      choices[dimension.name] = dimension.words[random.below(dimension.words.length)] as string;
    } else parameters[dimension.name] = drawNumber(dimension, random);
  }
  return { parameters, choices };
}

/** Numbers are rounded to four digits, so that a person who writes them down gets the same model. */
function drawNumber({ kind, scale, from, to }: Exclude<Dimension, { kind: "words" }>, random: Random): number {
  const share = random.next();
  const drawn = scale === "log" ? from * (to / from) ** share : from + share * (to - from);
  const rounded = kind === "integer" ? Math.round(drawn) : Number(drawn.toPrecision(4));
  return Math.min(to, Math.max(from, rounded));
}
