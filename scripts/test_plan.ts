// The plan of a test run: which tests, in which order, from the arguments.

/** Seconds that each integration file took when times were recorded last. */
export type Times = Readonly<Record<string, number>>;

export interface Plan {
  /** Files and folders of unit tests. One process runs them. */
  readonly unit: readonly string[];
  /** Integration files in the order of their starts. Each has a process of its own. */
  readonly integration: readonly string[];
  /** Files and folders whose types are checked first: everything before all tests. */
  readonly checked: readonly string[];
  /** How many integration files run at once. */
  readonly jobs: number;
  /** How many more run where the processors are idle. */
  readonly further: number;
  /** Further options of `deno test`. */
  readonly options: readonly string[];
  /** Whether the programs of the long form are needed. */
  readonly isLong: boolean;
  /** Whether the run records its times. */
  readonly isRecorded: boolean;
}

/** A quick run takes the integration files up to this time, s. It leaves out files without a recorded time. */
export const QUICK_S = 4;

const UNIT = ["src", "scripts"];
/** What `deno task check` takes. */
const EVERYTHING = ["src", "tests", "bench", "scripts"];
const INTEGRATION = "tests";
/** Tests with published servers and clients, whose installation alone takes minutes: in the long form, or where a path names them. */
const LONG = "tests/published";

/**
 * @param args paths of tests (none: all), the runner's own options `--quick`, `--long`, `--jobs=N` and `--record`, and options of `deno test`
 * @param files every integration file
 * @param usual how many run at once unless the arguments say otherwise
 * @throws {Error} for a path without tests
 */
export function makePlan(
  args: readonly string[],
  files: readonly string[],
  times: Times,
  usual: Pick<Plan, "jobs" | "further">,
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
    return args.includes("--long") || isIn(LONG)(path) ? found : found.filter((file) => !isIn(LONG)(file));
  });
  const seconds = (file: string) => times[file] ?? Infinity;
  const givenJobs = args.map((arg) => /^--jobs=([1-9]\d*)$/.exec(arg)?.[1]).find((value) =>
    value !== undefined
  );
  const unit = paths.filter(isUnit);
  // The longest files start first, so that no long file is left when the others have ended.
  const integration = [...new Set(chosen)].filter((file) => !isQuick || seconds(file) <= QUICK_S)
    .sort((a, b) => seconds(a) === seconds(b) ? 0 : seconds(b) - seconds(a));
  return {
    unit,
    integration,
    checked: asked.some(isPath) || isQuick ? [...unit, ...integration] : EVERYTHING,
    ...givenJobs === undefined ? usual : { jobs: Number(givenJobs), further: 0 },
    options: asked.filter((arg) =>
      !isPath(arg) && !["--quick", "--long", "--record"].includes(arg) && !arg.startsWith("--jobs=")
    ),
    isLong: chosen.some(isIn(LONG)),
    isRecorded: args.includes("--record"),
  };
}
