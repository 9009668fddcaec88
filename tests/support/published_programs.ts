// Servers and clients from npm, PyPI and Go modules that the long form of the tests starts. Lock files in tests/programs/published
// pin all of them.
import { installNpmPrograms, nodeProgram } from "./npm_programs.ts";
import { findProgram } from "./programs.ts";
import { installPythonPackages, pythonWith } from "./python_programs.ts";

const FOLDER = new URL("../programs/published/", import.meta.url).pathname;

export interface PublishedCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The Python SDK's line that a server or client is made for. Both cannot be installed in one place. */
export type PythonSdk = 1 | 2;

/** Modules of Go that are built: the name of the executable, and the package. */
const GO_PROGRAMS = {
  count: "./count",
  go_sdk_everything: "github.com/modelcontextprotocol/go-sdk/examples/server/everything",
  mcp_go_everything: "github.com/mark3labs/mcp-go/examples/everything",
};

/** A program that an npm package names. @throws {Error} when it is not installed */
export function publishedNode(name: string, ...args: readonly string[]): PublishedCommand {
  return {
    command: nodeProgram(),
    args: [Deno.realPathSync(`${FOLDER}node_modules/.bin/${name}`), ...args],
    env: {},
  };
}

/** A script of tests/programs/published for Node. */
export function nodeScript(name: string, ...args: readonly string[]): PublishedCommand {
  return { command: nodeProgram(), args: [`${FOLDER}${name}`, ...args], env: {} };
}

/** The program that a Python package names: the function `main` of a module. @throws {Error} when it is not installed */
export function publishedPython(
  sdk: PythonSdk,
  module: string,
  ...args: readonly string[]
): PublishedCommand {
  return { ...pythonWith(packagesOf(sdk)), args: ["-c", `from ${module} import main; main()`, ...args] };
}

/** A script of tests/programs/published for Python. */
export function pythonScript(sdk: PythonSdk, name: string, ...args: readonly string[]): PublishedCommand {
  return { ...pythonWith(packagesOf(sdk)), args: [`${FOLDER}${name}`, ...args] };
}

/** A program that was built from a Go module. */
export function publishedGo(name: keyof typeof GO_PROGRAMS, ...args: readonly string[]): PublishedCommand {
  return { command: `${FOLDER}bin/${name}`, args, env: {} };
}

/** What the long form needs: the program that installs it, and how it does. */
export const PUBLISHED: readonly {
  readonly program: string;
  readonly install: (path: string) => Promise<void>;
  readonly what: string;
}[] = [
  {
    program: "npm",
    install: (npm) => installNpmPrograms(npm, FOLDER),
    what: "the published programs from npm",
  },
  {
    program: "python3",
    install: async (python) => {
      for (const sdk of [1, 2] as const) {
        await installPythonPackages(python, `${FOLDER}requirements_${sdk}.txt`, packagesOf(sdk));
      }
    },
    what: "the published packages from PyPI",
  },
  { program: "go", install: buildGoPrograms, what: "the published Go modules" },
];

/** Are the programs from Go modules there? Without Go they are left out. */
export function hasGoPrograms(): boolean {
  return findProgram("go") !== null;
}

/** go.sum pins the modules. An unchanged program is not built again. @throws {Error} with the output of Go */
async function buildGoPrograms(go: string): Promise<void> {
  for (const [name, module] of Object.entries(GO_PROGRAMS)) {
    const { success, stderr } = await new Deno.Command(go, {
      args: ["build", "-mod=readonly", "-o", `bin/${name}`, module],
      cwd: FOLDER,
      stdin: "null",
    }).output();
    if (!success) throw new Error(`go build ${module} failed:\n${new TextDecoder().decode(stderr)}`);
  }
}

function packagesOf(sdk: PythonSdk): string {
  return `${FOLDER}python_packages_${sdk}`;
}
