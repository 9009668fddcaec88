// `deno task test`: all tests, unit first. Installs the programs that they need where it can.
//
//   deno task test [PATH | OPTION OF deno test]...     e.g. deno task test src/auth --filter JWT
//
// The last line is `N passed, N failed`; the exit code is 0 only where nothing failed.

import { installNpmPrograms } from "../tests/support/npm_programs.ts";
import { findProgram, hasProgram, type Program, PROGRAMS } from "../tests/support/programs.ts";
import { type Counts, junitCounts } from "./junit_counts.ts";

const ROOT = new URL("../", import.meta.url).pathname;

interface Group {
  readonly folders: readonly string[];
  readonly options: readonly string[];
}

// What starts processes and listens on ports runs one file at a time; the rest side by side.
const UNIT: Group = { folders: ["src", "scripts"], options: ["--parallel"] };
const INTEGRATION: Group = { folders: ["tests"], options: [] };

async function main(args: readonly string[]): Promise<number> {
  const missing = await install(PROGRAMS.filter(({ name }) => !hasProgram(name)));
  if (missing.length > 0) {
    const packages = missing.map(({ debianPackage }) => debianPackage).join(" ");
    console.error(`Missing: ${missing.map(({ name }) => name).join(", ")} (apt-get install ${packages})`);
    if (Deno.env.get("CI") === "true") {
      console.log(line({ passed: 0, failed: missing.length }));
      return 1;
    }
    console.error("The tests that need them are left out.");
  }
  const npm = findProgram("npm");
  if (npm !== null) await installNpmPrograms(npm);
  let total: Counts = { passed: 0, failed: 0 };
  for (const { paths, options } of runs(args)) {
    const counts = await denoTest([...options, ...paths]);
    total = { passed: total.passed + counts.passed, failed: total.failed + counts.failed };
  }
  console.log(line(total));
  return total.failed === 0 ? 0 : 1;
}

/** The runs that the arguments ask for: paths go to the group that they lie in, options to each. */
function runs(args: readonly string[]): { paths: readonly string[]; options: readonly string[] }[] {
  const isPath = (arg: string) =>
    [...UNIT.folders, ...INTEGRATION.folders].some((folder) =>
      arg === folder || arg.startsWith(`${folder}/`)
    );
  const asked = args.map((arg) => arg.replace(/^\.\//, ""));
  const paths = asked.filter(isPath);
  const options = asked.filter((arg) => !isPath(arg));
  return [UNIT, INTEGRATION].map((group) => ({
    paths: paths.length === 0
      ? group.folders
      : paths.filter((path) => group.folders.includes(path.split("/", 1)[0])),
    options: [...group.options, ...options],
  })).filter(({ paths }) => paths.length > 0);
}

async function denoTest(args: readonly string[]): Promise<Counts> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      // This very file has a name that `deno test` takes for a test's.
      args: [
        "test",
        "-A",
        "--no-prompt",
        "--permit-no-files",
        "--ignore=scripts/test.ts",
        `--junit-path=${report}`,
        ...args,
      ],
      cwd: ROOT,
    }).spawn().status;
    const text = await Deno.readTextFile(report);
    const counts = text === "" ? { passed: 0, failed: 0 } : junitCounts(text);
    // A module that does not load, or does not pass the type check, is in no report.
    return success || counts.failed > 0 ? counts : { ...counts, failed: 1 };
  } finally {
    await Deno.remove(report);
  }
}

/** Installs what it can. @returns what is still missing */
async function install(missing: readonly Program[]): Promise<Program[]> {
  if (missing.length > 0 && Deno.uid() === 0 && hasProgram("apt-get")) {
    const packages = missing.map(({ debianPackage }) => debianPackage);
    console.error(`Installing ${packages.join(", ")}`);
    if (!await aptGet("install", "--no-install-recommends", ...packages)) {
      // On a fresh image apt knows no packages yet.
      await aptGet("update");
      await aptGet("install", "--no-install-recommends", ...packages);
    }
  }
  return missing.filter(({ name }) => !hasProgram(name));
}

async function aptGet(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("apt-get", {
    args: ["-qq", "-y", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "null",
  }).spawn().status;
  return success;
}

function line({ passed, failed }: Counts): string {
  return `${passed} passed, ${failed} failed`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
