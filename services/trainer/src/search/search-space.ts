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
      /** Where to begin, inside; the estimator's default unless given. */
      readonly start?: number;
    }
  | {
      readonly kind: "words";
      readonly name: string;
      readonly words: readonly string[];
      /** As of numbers. */
      readonly start?: string;
    };

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
    return { dimensions: named.map((spec) => givenDimension(spec, ranges[spec.name] as GivenRange, given)), given };
  }
  const free = specs.filter(({ name }) => !(name in given.parameters || name in given.choices));
  return { dimensions: free.flatMap(ownDimension), given };
}

/** Begins where the parameter was given, else at its default, or as near to that as the range goes: whoever bounds a parameter means every trial. */
function givenDimension(
  spec: ParameterSpec,
  { from, to, scale, words }: GivenRange,
  { parameters, choices }: GivenParameters,
): Dimension {
  const { name } = spec;
  if (spec.kind === "choice") {
    const allowed = words.length > 0 ? words : spec.choices;
    const wish = choices[name] ?? spec.default;
    return { kind: "words", name, words: allowed, start: allowed.find((word) => word === wish) ?? allowed[0] ?? wish };
  }
  const start = Math.min(to, Math.max(from, parameters[name] ?? spec.default));
  return { kind: spec.kind, name, scale: scale === "log" ? "log" : "linear", from, to, start };
}

function ownDimension(spec: ParameterSpec): Dimension[] {
  const { name, search } = spec;
  if (search === undefined || search === false) return [];
  if (spec.kind === "choice") return [{ kind: "words", name, words: spec.choices }];
  return typeof search === "object" ? [{ kind: spec.kind, name, ...search }] : [];
}

const mostDraws = 50;

/**
 * Points of a space: where it begins first, then points at random, evenly in their scale. The point at an index depends on the seed, the index
 * and the ones before it alone. No point comes twice, so that a small space gives fewer than `count`.
 */
export function samplePoints(space: SearchSpace, count: number, seed: bigint): readonly GivenParameters[] {
  const first = pointOf(space, ({ start }) => start);
  const points = [first];
  const seen = new Set([JSON.stringify(first)]);
  const random = new Random(Number(BigInt.asUintN(53, seed)));
  for (let index = 1; index < count && space.dimensions.length > 0; index++) {
    const own = random.fork(index);
    for (let draw = 0; draw < mostDraws; draw++) {
      const point = pointOf(space, (dimension) => drawValue(dimension, own));
      const text = JSON.stringify(point);
      if (seen.has(text)) continue;
      seen.add(text);
      points.push(point);
      break;
    }
  }
  return points;
}

/** The given parameters with a value for each dimension; those without one keep what was given, or their default. */
function pointOf(
  { dimensions, given }: SearchSpace,
  choose: (dimension: Dimension) => number | string | undefined,
): GivenParameters {
  const parameters: Record<string, number> = { ...given.parameters };
  const choices: Record<string, string> = { ...given.choices };
  for (const dimension of dimensions) {
    const value = choose(dimension);
    if (typeof value === "string") choices[dimension.name] = value;
    else if (value !== undefined) parameters[dimension.name] = value;
  }
  return { parameters, choices };
}

function drawValue(dimension: Dimension, random: Random): number | string {
  if (dimension.kind !== "words") return drawNumber(dimension, random);
  return dimension.words[random.below(dimension.words.length)] as string;
}

/** Numbers are rounded to four digits, so that a person who writes them down gets the same model. */
function drawNumber({ kind, scale, from, to }: Exclude<Dimension, { kind: "words" }>, random: Random): number {
  const share = random.next();
  const drawn = scale === "log" ? from * (to / from) ** share : from + share * (to - from);
  const rounded = kind === "integer" ? Math.round(drawn) : Number(drawn.toPrecision(4));
  return Math.min(to, Math.max(from, rounded));
}
