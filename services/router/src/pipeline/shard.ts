/** A 32-bit hash of a text: FNV-1a, mixed by murmur3's finaliser so that near keys land far apart. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A number in [0, 1) made of a text. */
export function drawFromText(text: string): number {
  return hashText(text) / 2 ** 32;
}

/**
 * Orders members for a key by rendezvous hashing (Thaler and Ravishankar, 1998): every router gets the same order without talking, and when a member
 * goes only its keys move.
 */
export function rendezvousOrder<T>(key: string, members: readonly T[], idOf: (member: T) => string): T[] {
  const scored = members.map((member) => ({ member, score: hashText(`${idOf(member)}\0${key}`) }));
  return scored.sort((a, b) => b.score - a.score || (idOf(a.member) < idOf(b.member) ? -1 : 1)).map((s) => s.member);
}

export interface ShardLimits {
  /** How many members the load asks for. */
  readonly needed: number;
  /** Load above which a member is passed over (bounded loads: Mirrokni, Thorup, Zadimoghaddam, 2016). */
  readonly bound: number;
}

/** How many replicas a number of calls in flight asks for; at least two, so that one may die. */
export function neededReplicas(inFlight: number, perReplica: number): number {
  return Math.max(2, Math.ceil((inFlight + 1) / perReplica));
}

/** The load no member of a shard should pass: a quarter above the average, and never so small that rounding decides. */
export function loadBound(totalLoad: number, members: number): number {
  return Math.max(4, Math.ceil((1.25 * (totalLoad + 1)) / Math.max(1, members)));
}

/** The first `needed` members of an order whose load is within the bound; all of them when there are no more than needed, or when too few are within. */
export function chooseShard<T>(
  ordered: readonly T[],
  loadOf: (member: T) => number,
  limits: ShardLimits,
): readonly T[] {
  if (ordered.length <= limits.needed) return ordered;
  const shard: T[] = [];
  for (const member of ordered) {
    if (loadOf(member) <= limits.bound && shard.push(member) === limits.needed) return shard;
  }
  return ordered;
}
