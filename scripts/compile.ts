// `deno task compile`: the one executable, with the workers' code and every asset inside.
//
//   deno task compile [--output FILE] [--without run,ffi]
//
// `--without` leaves permissions out of the executable, for operators who never need them.
//
// The program of DENO_FOR_COMPILE compiles where that is set, else the Deno that runs this script. The commit goes into the
// program as the environment variable SLUICE_COMMIT (src/version.ts reads it), so that nothing is written into the tree.

import { parseArgs } from "@std/cli/parse-args";
import { gitCommit } from "./git_commit.ts";
import { PERMISSION_FLAGS } from "./permission_flags.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** What no import statement names, and the program therefore has to be told of. */
const INCLUDED = ["src/worker/main.ts", "src/auth/logins/argon2_thread.ts"];

/** Permissions that the program can do without. */
const OPTIONAL = ["run", "ffi"];

/** @returns the exit code of `deno compile` */
async function compile(output: string, without: readonly string[]): Promise<number> {
  const folder = await Deno.makeTempDir();
  try {
    const baked = `${folder}/baked.env`;
    const built = Deno.env.get("SLUICE_COMMIT") ?? await gitCommit() ?? "";
    await Deno.writeTextFile(baked, `SLUICE_COMMIT=${built}\n`);
    const { code } = await new Deno.Command(Deno.env.get("DENO_FOR_COMPILE") ?? Deno.execPath(), {
      args: [
        "compile",
        ...PERMISSION_FLAGS.filter((flag) => !without.includes(flag.replace("--allow-", ""))),
        ...INCLUDED.flatMap((path) => ["--include", path]),
        `--env-file=${baked}`,
        "--output",
        output,
        "src/main.ts",
      ],
      cwd: ROOT,
      // Deno 2.7 walks the packages by recursion on a thread whose stack is too small for ours.
      env: { RUST_MIN_STACK: String(64 * 1024 * 1024) },
    }).spawn().status;
    return code;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const { output, without, _: rest, ...unknown } = parseArgs(Deno.args, {
  string: ["output", "without"],
  default: { output: "sluice", without: "" },
});
const left = without.split(",").filter((name: string) => name !== "");
if (
  rest.length > 0 || Object.keys(unknown).length > 0 || left.some((name: string) => !OPTIONAL.includes(name))
) {
  console.error(`Usage: deno task compile [--output FILE] [--without ${OPTIONAL.join(",")}]`);
  Deno.exit(2);
}
// A relative path is meant from where the caller stands, not from the project's folder.
Deno.exit(
  await compile(
    output.startsWith("/") ? output : `${Deno.env.get("INIT_CWD") ?? Deno.cwd()}/${output}`,
    left,
  ),
);
