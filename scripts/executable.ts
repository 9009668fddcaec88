// Compiles the program of `bundle.ts` into one executable.
import { type Embedded, MAIN, THREAD_FILES } from "./bundle.ts";
import { gitCommit } from "./git_commit.ts";
import { PERMISSION_FLAGS } from "./permission_flags.ts";
import { RUNTIME_LICENSE } from "./runtime_license.ts";

export interface Executable {
  /** The folder of the bundle. */
  readonly program: string;
  /** The absolute path of the file to write. */
  readonly output: string;
  /** The permissions to leave out, such as "run". */
  readonly without: readonly string[];
  /** As `deno compile --target` takes it; null: this machine. */
  readonly target: string | null;
}

/**
 * The program of DENO_FOR_COMPILE compiles where that is set, else the Deno that runs this script. The commit goes into the
 * program as the environment variable SLUICE_COMMIT (src/version.ts reads it), so that nothing is written into the tree.
 * @returns the exit code of `deno compile`
 */
export async function compile({ program, output, without, target }: Executable): Promise<number> {
  const baked = await Deno.makeTempFile({ suffix: ".env" });
  try {
    const commit = Deno.env.get("SLUICE_COMMIT") || await gitCommit() || "";
    await Deno.writeTextFile(baked, `SLUICE_COMMIT=${commit}\n`);
    const { code } = await new Deno.Command(compiler(), {
      args: [
        "compile",
        // Without it, Deno lists every file inside.
        "--quiet",
        "--no-check",
        // The program collects its garbage once it has started; Deno before 2.9 has no other way to offer that.
        "--v8-flags=--expose-gc",
        ...PERMISSION_FLAGS.filter((flag) => !without.includes(flag.replace("--allow-", ""))),
        ...THREAD_FILES.flatMap((file) => ["--include", file]),
        ...target === null ? [] : ["--target", target],
        `--env-file=${baked}`,
        "--output",
        output,
        MAIN,
      ],
      cwd: program,
    }).spawn().status;
    return code;
  } finally {
    await Deno.remove(baked);
  }
}

/** The Deno that compiles, and goes into the executable. */
export async function runtimeInside(): Promise<Embedded> {
  const { stdout } = await new Deno.Command(compiler(), { args: ["--version"] }).output();
  const version = /^deno (\S+)/.exec(new TextDecoder().decode(stdout))![1]!;
  return { name: "deno", version, license: "MIT", text: RUNTIME_LICENSE };
}

function compiler(): string {
  return Deno.env.get("DENO_FOR_COMPILE") ?? Deno.execPath();
}

/** What the licences of the runtime and the packages ask to go along with a copy. */
export function licenseTexts(packages: readonly Embedded[]): string {
  return packages.map(({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`)
    .join(`\n${"-".repeat(72)}\n\n`);
}

/** A relative path is meant from where the caller of a task stands, not from the project's folder. */
export function fromCaller(path: string): string {
  return path.startsWith("/") ? path : `${Deno.env.get("INIT_CWD") ?? Deno.cwd()}/${path}`;
}
