// The shell command that starts this program the way it was started: for the command lines that the program prints.

import { basename, delimiter, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The command of the task `sluice` in deno.json: `-A` would give the program more permissions. */
const RUN = [
  "run",
  "--no-prompt",
  "--allow-net",
  "--allow-env",
  "--allow-sys=hostname,networkInterfaces,uid",
  "--allow-read=/",
  "--allow-write=/",
  "--allow-run",
  "--allow-ffi",
];

export interface Started {
  /** Is the program the compiled executable? */
  readonly standalone: boolean;
  /** The executable, or the Deno that runs the source. */
  readonly execPath: string;
  /** The URL of src/main.ts. */
  readonly mainModule: string;
  readonly folder: string;
  readonly denoVersion: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The command of this process. */
export function programName(): string {
  return programNameOf({
    standalone: Deno.build.standalone,
    execPath: Deno.execPath(),
    mainModule: Deno.mainModule,
    folder: Deno.cwd(),
    denoVersion: Deno.version.deno,
    environment: Deno.env.toObject(),
  });
}

/** The command line of this process with absolute paths, for a program that has another PATH and folder. */
export function programWords(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  return [Deno.execPath(), ...RUN, "--quiet", fileURLToPath(Deno.mainModule)];
}

/**
 * The executable's path, or its name if the shell finds it. From source: `deno task` in the project's folder, else `deno run`,
 * through npx if npx started Deno.
 */
export function programNameOf(started: Started): string {
  const { standalone, execPath, mainModule, folder, denoVersion, environment } = started;
  const name = basename(execPath);
  const found = foundByShell(name, environment.PATH);
  if (standalone) return found === Deno.realPathSync(execPath) ? name : quoted(execPath);
  // The npm package of Deno starts it by a script of the same name, so the paths differ.
  const installed = found === null ? quoted(execPath) : name;
  const deno = environment.npm_lifecycle_event === "npx" ? `npx --yes deno@${denoVersion}` : installed;
  const main = fileURLToPath(mainModule);
  // `deno task` runs in the folder of deno.json: from another folder it would find another database.
  const isAtHome = folder === dirname(dirname(main));
  return isAtHome ? `${deno} task --quiet sluice` : [deno, ...RUN, quoted(main)].join(" ");
}

/** The path of the program that a shell runs by this name, links resolved; null: the shell finds none. */
function foundByShell(name: string, path = ""): string | null {
  for (const folder of path.split(delimiter)) {
    try {
      if (folder !== "") return Deno.realPathSync(resolve(folder, name));
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
