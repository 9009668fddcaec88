// Finds the name that a misspelt one stands for.

import { levenshteinDistance } from "@std/text/levenshtein-distance";

// The package has no types.
const distance: (a: string, b: string) => number = levenshteinDistance;

/**
 * The known name that `name` is a likely misspelling of, the nearest first; null if there is none.
 * @param allowedEdits how many edits a misspelling of this length may have
 */
export function nearName(
  name: string,
  known: Iterable<string>,
  allowedEdits: (length: number) => number = fewEdits,
): string | null {
  let nearest: string | null = null;
  let fewest = Infinity;
  for (const candidate of known) {
    const allowed = allowedEdits(Math.min(name.length, candidate.length));
    if (Math.abs(candidate.length - name.length) > allowed) continue;
    const edits = isSwap(name, candidate) ? SWAP : distance(name, candidate);
    if (edits <= allowed && edits < fewest) [nearest, fewest] = [candidate, edits];
  }
  return nearest;
}

/** Two letters that changed places are the likeliest misspelling, so a swap counts less than one edit. */
const SWAP = 0.5;

/** The default, for names that may belong to another program. Short words have many neighbours: only a swap counts. */
function fewEdits(length: number): number {
  if (length < 4) return 0;
  if (length < 6) return SWAP;
  return length < 10 ? 1 : 2;
}

/** Do the two differ by two neighbouring letters that changed places? */
function isSwap(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  const at = [...a].findIndex((letter, i) => letter !== b[i]);
  return at >= 0 && a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2);
}
