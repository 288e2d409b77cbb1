/**
 * The search for the name that is nearest to a mistyped one. The measure is the edit distance, where a swap of two
 * letters counts as one edit.
 */

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. O(a b). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * The candidate that the user probably meant: at most a third of its letters is wrong, or it begins with the typed
 * word.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  const typed = word.toLowerCase();
  for (const candidate of candidates) {
    const distance = editDistance(typed, candidate.toLowerCase());
    if (distance < least && distance <= Math.max(1, Math.round(Math.max(typed.length, candidate.length) / 3)))
      [best, least] = [candidate, distance];
  }
  if (best !== undefined || typed.length < 3) return best;
  return [...candidates].find((candidate) => candidate.startsWith(typed));
}

/** ` Did you mean X?` with the nearest candidate X; `otherwise` if none is near. */
export function didYouMean(word: string, candidates: Iterable<string>, otherwise: string = ""): string {
  const found = nearest(word, candidates);
  return found === undefined ? otherwise : ` Did you mean ${found}?`;
}
