import { AimassError } from "@aimass/core";
import { unassigned } from "./assignment.ts";
import { randomNumbers, shuffled } from "./random.ts";
import type { RowKeys } from "./row-keys.ts";

export interface AssignOptions {
  readonly keys: RowKeys;
  /** Share of each part; they add up to 1. Parts with share 0 get nothing. */
  readonly shares: readonly number[];
  readonly seed: number;
  /** Whether a row takes part at all; all rows when left out. */
  readonly includes?: (row: number) => boolean;
}

/**
 * Gives every row a part, one byte each. Each part's number of rows is within one row of its share, in each class when there are classes.
 * Groups stay together; then numbers are as near as whole groups allow. By time, parts follow each other and moments stay together.
 */
export function assignRows(options: AssignOptions): Uint8Array {
  if (options.keys.times !== undefined) return assignByTime(options, options.keys.times);
  if (options.keys.groups !== undefined) return assignGroups(options, options.keys.groups);
  return assignSingly(options);
}

/** Draws for each row in turn, with chances by how many rows each part of its class still needs: all outcomes are equally likely. */
function assignSingly({ keys, shares, seed, includes }: AssignOptions): Uint8Array {
  const needs = apportionClasses(classSizes(keys, includes), shares);
  const left = needs.map((need) => need.reduce((sum, rows) => sum + rows, 0));
  const random = randomNumbers(seed);
  const parts = new Uint8Array(keys.rows).fill(unassigned);
  for (let row = 0; row < keys.rows; row++) {
    if (includes?.(row) === false) continue;
    const kind = keys.classes?.[row] ?? 0;
    const need = needs[kind] as number[];
    let draw = Math.floor(random() * (left[kind] as number));
    let part = 0;
    while (draw >= (need[part] as number)) draw -= need[part++] as number;
    parts[row] = part;
    need[part] = (need[part] as number) - 1;
    left[kind] = (left[kind] as number) - 1;
  }
  return parts;
}

function classSizes(keys: RowKeys, includes: AssignOptions["includes"]): number[] {
  const sizes = new Array<number>(Math.max(1, keys.classNames.length)).fill(0);
  for (let row = 0; row < keys.rows; row++) {
    if (includes?.(row) === false) continue;
    const kind = keys.classes?.[row] ?? 0;
    sizes[kind] = (sizes[kind] as number) + 1;
  }
  return sizes;
}

/**
 * Rows of each class for each part: the share rounded down or up. What rounding down leaves over goes to the parts that are furthest
 * behind over all classes so far, so that small classes do not all end in the largest part.
 */
export function apportionClasses(sizes: readonly number[], shares: readonly number[]): number[][] {
  const behind = shares.map(() => 0);
  return sizes.map((size) => {
    const exact = shares.map((share) => share * size);
    const counts = exact.map((rows) => Math.floor(rows + 1e-9));
    let over = size - counts.reduce((sum, rows) => sum + rows, 0);
    const fractions = exact.map((rows, part) => rows - (counts[part] as number));
    for (const [part, fraction] of fractions.entries()) behind[part] = (behind[part] as number) + fraction;
    const order = shares.map((_, part) => part).filter((part) => (fractions[part] as number) > 1e-9);
    order.sort((a, b) => (behind[b] as number) - (behind[a] as number) || a - b);
    for (const part of order) {
      if (over-- <= 0) break;
      counts[part] = (counts[part] as number) + 1;
      behind[part] = (behind[part] as number) - 1;
    }
    return counts;
  });
}

/** Gives groups in random order to the part that lacks most of what the group has. */
function assignGroups({ keys, shares, seed, includes }: AssignOptions, groups: Uint32Array): Uint8Array {
  const contents = groupContents(keys, groups, includes);
  const present = contents.filter((content) => content !== undefined).length;
  const used = shares.flatMap((share, part) => (share > 0 ? [part] : []));
  if (present < used.length) {
    throw new AimassError("INVALID_ARGUMENT", `There are ${present} groups for ${used.length} parts.`, {
      field: "groupBy",
      remedy: "Use fewer parts, or group by a column with more values.",
    });
  }
  const sizes = classSizes(keys, includes);
  // What each part lacks of each class, as a share of the class.
  const lacks = shares.map((share) => sizes.map(() => share));
  const empty = new Set(used);
  const partOfGroup = new Uint8Array(contents.length);
  let left = present;
  for (const group of shuffled(contents.length, randomNumbers(seed))) {
    const content = contents[group];
    if (content === undefined) continue;
    const choices = left === empty.size ? [...empty] : used;
    const part = neediest(choices, lacks, content, sizes);
    for (const [kind, rows] of content) {
      const lack = lacks[part] as number[];
      lack[kind] = (lack[kind] as number) - rows / (sizes[kind] as number);
    }
    empty.delete(part);
    partOfGroup[group] = part;
    left--;
  }
  return Uint8Array.from(groups, (group, row) =>
    includes?.(row) === false ? unassigned : (partOfGroup[group] as number),
  );
}

/** How many rows of each class a group has; undefined for a group without rows. */
type GroupContent = Map<number, number> | undefined;

function groupContents(keys: RowKeys, groups: Uint32Array, includes: AssignOptions["includes"]): GroupContent[] {
  const contents = new Array<GroupContent>(keys.groupCount).fill(undefined);
  for (let row = 0; row < keys.rows; row++) {
    if (includes?.(row) === false) continue;
    const group = groups[row] as number;
    const kind = keys.classes?.[row] ?? 0;
    const content = contents[group] ?? new Map<number, number>();
    contents[group] = content.set(kind, (content.get(kind) ?? 0) + 1);
  }
  return contents;
}

function neediest(
  choices: readonly number[],
  lacks: readonly (readonly number[])[],
  content: ReadonlyMap<number, number>,
  sizes: readonly number[],
): number {
  let best = choices[0] as number;
  let bestNeed = Number.NEGATIVE_INFINITY;
  for (const part of choices) {
    let need = 0;
    for (const [kind, rows] of content) need += (rows * (lacks[part]?.[kind] as number)) / (sizes[kind] as number);
    if (need > bestNeed) [best, bestNeed] = [part, need];
  }
  return best;
}

/** Cuts the rows in order of time at the moments nearest to the shares. */
function assignByTime({ shares, includes }: AssignOptions, times: Float64Array): Uint8Array {
  const kept = includes === undefined ? times : times.filter((_, row) => includes(row));
  const sorted = Float64Array.from(kept).sort();
  const used = shares.flatMap((share, part) => (share > 0 ? [part] : []));
  const starts = timeStarts(
    sorted,
    used.map((part) => shares[part] as number),
  );
  return Uint8Array.from(times, (time, row) => {
    if (includes?.(row) === false) return unassigned;
    let index = used.length - 1;
    while (index > 0 && time < (starts[index] as number)) index--;
    return used[index] as number;
  });
}

/** The first moment of each part. */
function timeStarts(sorted: Float64Array, shares: readonly number[]): number[] {
  const starts = [Number.NEGATIVE_INFINITY];
  let cumulative = 0;
  let from = 0;
  for (const share of shares.slice(0, -1)) {
    cumulative += share;
    const cut = nearestCut(sorted, Math.round(cumulative * sorted.length), from);
    if (cut === undefined) {
      throw new AimassError("INVALID_ARGUMENT", `The rows have too few different times for ${shares.length} parts.`, {
        field: "timeBy",
        remedy: "Use fewer parts, or a column with finer times.",
      });
    }
    from = cut;
    starts.push(sorted[cut] as number);
  }
  return starts;
}

/** The index nearest to `wanted`, after `from`, where a new moment begins. */
function nearestCut(sorted: Float64Array, wanted: number, from: number): number | undefined {
  const begins = (index: number) => index > from && index < sorted.length && sorted[index] !== sorted[index - 1];
  for (let distance = 0; distance < sorted.length; distance++) {
    if (begins(wanted - distance)) return wanted - distance;
    if (begins(wanted + distance)) return wanted + distance;
  }
  return undefined;
}
