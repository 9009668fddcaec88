// Programs from npm that tests start, and the Node that runs them. tests/programs/package-lock.json pins all of them.

const FOLDER = new URL("../programs/", import.meta.url).pathname;
const MODULES = `${FOLDER}node_modules`;
/** npm 10 removes `.bin/node` when it skips the package for the other processor, so this path names the package. */
const NODE = `node-linux-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}/bin/node`;

/** The names that the packages give their programs. */
export type NpmProgram =
  | "conformance"
  | "mcp-inspector"
  | "mcp-proxy"
  | "mcp-remote"
  | "mcp-server-everything"
  | "mcp-server-filesystem"
  | "mcp-server-memory"
  | "supergateway"
  | "time-mcp"
  | "validate-api";

export interface NpmCommand {
  readonly command: string;
  readonly args: string[];
}

/** The command that runs a program. Nothing is looked up in a registry. @throws {Error} when it is not installed */
export function npmProgram(name: NpmProgram, ...args: readonly string[]): NpmCommand {
  return nodeCommand([], name, args);
}

/** The same, for a server that would listen on all interfaces: it listens on 127.0.0.1. */
export function npmServer(name: NpmProgram, ...args: readonly string[]): NpmCommand {
  return nodeCommand(["--require", new URL("./bind_loopback.cjs", import.meta.url).pathname], name, args);
}

function nodeCommand(nodeArgs: readonly string[], name: NpmProgram, args: readonly string[]): NpmCommand {
  return { command: nodeProgram(), args: [...nodeArgs, installed(`.bin/${name}`), ...args] };
}

/** The Node of tests/programs. @throws {Error} when it is not installed */
export function nodeProgram(): string {
  return installed(NODE);
}

/** A module of a package. @throws {Error} when it is not installed */
export function npmModule(path: string): string {
  return installed(path);
}

function installed(path: string): string {
  try {
    return Deno.realPathSync(`${MODULES}/${path}`);
  } catch (error) {
    throw new Error(`${path} is not installed: run \`deno task test\`, which installs it`, { cause: error });
  }
}

/**
 * Installs what package-lock.json of a folder names, unless it is there.
 * @param folder with a slash at its end
 * @throws {Error} with the output of npm
 */
export async function installNpmPrograms(npm: string, folder: string = FOLDER): Promise<void> {
  const installedLock = `${folder}node_modules/.installed-lock.json`;
  const lock = await Deno.readTextFile(`${folder}package-lock.json`);
  if (await Deno.readTextFile(installedLock).catch(() => "") === lock) return;
  console.error(`Installing the programs of ${folder}package-lock.json`);
  const { success, stdout, stderr } = await new Deno.Command(npm, {
    // `--loglevel=error` hides the warning that the programs need a newer Node than the one that runs npm.
    args: ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    cwd: folder,
    stdin: "null",
  }).output();
  if (!success) {
    const decoder = new TextDecoder();
    throw new Error(`npm ci failed in ${folder}:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
  }
  await Deno.writeTextFile(installedLock, lock);
}
