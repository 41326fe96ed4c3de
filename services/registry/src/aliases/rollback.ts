/** One move of an alias, as far as going back is concerned. */
export interface PastMove {
  /** 0: the alias was removed. */
  readonly toVersion: bigint;
  readonly rollback: boolean;
}

/**
 * Where a rollback leads, from an alias's moves, oldest first: to the target before its last move that was not undone yet. A rollback undoes one move, so
 * rolling back twice goes two moves back and never toggles; a new move after a rollback starts from where the alias then stands. Removing an alias
 * ends its past. Undefined when there is nothing to go back to.
 *
 * 1 → 2 → 3, rollback (2), rollback (1): nothing more. 1 → 2 → 3, rollback (2), move to 4, rollback (2), rollback (1).
 */
export function rollbackTarget(moves: readonly PastMove[]): bigint | undefined {
  const path: bigint[] = [];
  for (const { toVersion, rollback } of moves) {
    if (toVersion === 0n) path.length = 0;
    else if (rollback) path.pop();
    else path.push(toVersion);
  }
  return path.at(-2);
}
