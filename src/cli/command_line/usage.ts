// The error for mistakes on the command line, and the guess at the word that was meant.

import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { SluiceError } from "../../base/errors.ts";

/** The error for a command line with `mistakes`; its last line points to the help of `command`, or of the program. */
export function usage(mistakes: readonly string[], command?: string): SluiceError {
  const help = `Try: sluice ${command === undefined ? "--help" : `${command} --help`}`;
  return new SluiceError("USAGE_INVALID", { mistakes: [...mistakes, help].join("\n") }, { data: mistakes });
}

/** The end of a sentence that names the known word nearest to `given`; "" if no word is near. */
export function didYouMean(given: string, known: readonly string[]): string {
  // The package comes without types.
  const distance: (a: string, b: string) => number = levenshteinDistance;
  const [nearest] = known.map((name) => [name, distance(given, name)] as const).sort((a, b) => a[1] - b[1]);
  return nearest !== undefined && nearest[1] <= Math.max(2, given.replace(/^-+/, "").length / 3)
    ? `; did you mean ${nearest[0]}?`
    : "";
}
