// `deno task compile`: the one executable, with the workers' code and every asset inside.
//
//   deno task compile [--output FILE] [--without run,ffi] [--target TRIPLE] [--licenses FILE]
//
// `--target` names another machine, as `deno compile --help` lists them. `--licenses` writes the licences of the packages inside.
// `--without` leaves permissions out of the executable, for operators who never need them.
//
// The program of DENO_FOR_COMPILE compiles where that is set, else the Deno that runs this script. The commit goes into the
// program as the environment variable SLUICE_COMMIT (src/version.ts reads it), so that nothing is written into the tree.

import { parseArgs } from "@std/cli/parse-args";
import { bundle, MAIN, THREAD_FILES } from "./bundle.ts";
import { gitCommit } from "./git_commit.ts";
import { PERMISSION_FLAGS } from "./permission_flags.ts";

/** Permissions that the program can do without. */
const OPTIONAL = ["run", "ffi"];

interface Wanted {
  readonly output: string;
  /** The permissions to leave out. */
  readonly without: readonly string[];
  /** null: this machine. */
  readonly target: string | null;
  /** null: not written. */
  readonly licenses: string | null;
}

/** @returns the exit code of `deno compile` */
async function compile({ output, without, target, licenses }: Wanted): Promise<number> {
  const folder = await Deno.makeTempDir();
  try {
    const program = `${folder}/program`;
    const texts = await bundle(program);
    if (licenses !== null) await Deno.writeTextFile(licenses, texts);
    const baked = `${folder}/baked.env`;
    const built = Deno.env.get("SLUICE_COMMIT") ?? await gitCommit() ?? "";
    await Deno.writeTextFile(baked, `SLUICE_COMMIT=${built}\n`);
    const { code } = await new Deno.Command(Deno.env.get("DENO_FOR_COMPILE") ?? Deno.execPath(), {
      args: [
        "compile",
        "--no-check",
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
    await Deno.remove(folder, { recursive: true });
  }
}

/** A relative path is meant from where the caller stands, not from the project's folder. */
function fromCaller(path: string): string {
  return path.startsWith("/") ? path : `${Deno.env.get("INIT_CWD") ?? Deno.cwd()}/${path}`;
}

const { output, without, target, licenses, _: rest, ...unknown } = parseArgs(Deno.args, {
  string: ["output", "without", "target", "licenses"],
  default: { output: "sluice", without: "" },
});
const left = without.split(",").filter((name: string) => name !== "");
if (
  rest.length > 0 || Object.keys(unknown).length > 0 || left.some((name: string) => !OPTIONAL.includes(name))
) {
  console.error(
    `Usage: deno task compile [--output FILE] [--without ${
      OPTIONAL.join(",")
    }] [--target TRIPLE] [--licenses FILE]`,
  );
  Deno.exit(2);
}
Deno.exit(
  await compile({
    output: fromCaller(output),
    without: left,
    target: target ?? null,
    licenses: licenses === undefined ? null : fromCaller(licenses),
  }),
);
