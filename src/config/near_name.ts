// Tells a mistyped setting's name from one that belongs to somebody else.

import { levenshteinDistance } from "@std/text/levenshtein-distance";

// The package comes without types.
const distance: (a: string, b: string) => number = levenshteinDistance;

/** Shorter names are near too many others. */
const MIN_KNOWN_LENGTH = 6;

const MAX_EDITS = 2;

/** The known name at most two edits away from `name`, the nearest first; null if there is none. */
export function nearName(name: string, known: Iterable<string>, minLength: number): string | null {
  if (name.length < minLength) return null;
  let nearest: string | null = null;
  let fewest = MAX_EDITS + 1;
  for (const candidate of known) {
    if (candidate.length < MIN_KNOWN_LENGTH || Math.abs(candidate.length - name.length) > MAX_EDITS) continue;
    const edits = distance(name, candidate);
    if (edits < fewest) [nearest, fewest] = [candidate, edits];
  }
  return nearest;
}
