// What a run of the tests is made of, from its arguments.

/** Seconds that each integration file took when times were recorded last. */
export type Times = Readonly<Record<string, number>>;

export interface Plan {
  /** Files and folders of unit tests: run by one process. */
  readonly unit: readonly string[];
  /** Files of integration tests, which have a process each, in the order of their starts. */
  readonly integration: readonly string[];
  /** How many of them run at once. */
  readonly jobs: number;
  /** Further options of `deno test`. */
  readonly options: readonly string[];
  /** Whether the times of this run are to be recorded. */
  readonly isRecorded: boolean;
}

/** A quick run has the integration files that took no longer than this, s. A file without a time is none of them. */
export const QUICK_S = 4;

const UNIT = ["src", "scripts"];
const INTEGRATION = "tests";

/**
 * @param args paths of tests (none: all), the runner's own options `--quick`, `--jobs=N` and `--record`, and options of `deno test`
 * @param files every integration file
 * @param jobs how many run at once unless the arguments say otherwise
 * @throws {Error} for a path without tests
 */
export function makePlan(
  args: readonly string[],
  files: readonly string[],
  times: Times,
  jobs: number,
): Plan {
  const asked = args.map((arg) => arg.replace(/^\.\//, "").replace(/(?<=.)\/$/, ""));
  const isIn = (folder: string) => (path: string) => path === folder || path.startsWith(`${folder}/`);
  const isUnit = (path: string) => UNIT.some((folder) => isIn(folder)(path));
  const isPath = (arg: string) => isUnit(arg) || isIn(INTEGRATION)(arg);
  const paths = asked.some(isPath) ? asked.filter(isPath) : [...UNIT, INTEGRATION];
  const isQuick = args.includes("--quick");
  const chosen = paths.filter(isIn(INTEGRATION)).flatMap((path) => {
    const found = files.filter(isIn(path));
    if (found.length === 0) throw new Error(`No test file at ${path}`);
    return found;
  });
  const seconds = (file: string) => times[file] ?? Infinity;
  const givenJobs = args.map((arg) => /^--jobs=([1-9]\d*)$/.exec(arg)?.[1]).find((value) =>
    value !== undefined
  );
  return {
    unit: paths.filter(isUnit),
    // The longest first: at the end all processes are busy until the last file.
    integration: [...new Set(chosen)].filter((file) => !isQuick || seconds(file) <= QUICK_S)
      .sort((a, b) => seconds(a) === seconds(b) ? 0 : seconds(b) - seconds(a)),
    jobs: Number(givenJobs ?? jobs),
    options: asked.filter((arg) =>
      !isPath(arg) && arg !== "--quick" && arg !== "--record" && !arg.startsWith("--jobs=")
    ),
    isRecorded: args.includes("--record"),
  };
}
