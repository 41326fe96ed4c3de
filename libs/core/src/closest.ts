/** The known name that a mistyped one most likely means: at most a third of its letters away (Levenshtein 1966), or one that begins with it. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, "");
  const scored = known.map((candidate) => ({ candidate, edits: editDistance(plain(name), plain(candidate)) }));
  const best = scored.sort((a, b) => a.edits - b.edits)[0];
  if (best !== undefined && best.edits <= Math.max(1, name.length / 3)) return best.candidate;
  return name.length < 3 ? undefined : known.find((candidate) => plain(candidate).startsWith(plain(name)));
}

/** The beginning of a remedy for a mistyped name: "Did you mean age? "; empty where none is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const meant = closest(name, known);
  return meant === undefined ? "" : `Did you mean ${meant}? `;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
