// Servers and clients from npm, PyPI, Go modules, crates.io and Maven Central that the long form of the tests starts. Files in
// tests/programs/published pin all of them.
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

/** Packages that are installed together. */
type PythonPackages = PythonSdk | "contextforge" | "kubernetes";

/** Modules of Go that are built: the name of the executable, and the package. */
const GO_PROGRAMS = {
  call: "./call",
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

/** An executable in an npm package. */
export function publishedExecutable(path: string, ...args: readonly string[]): PublishedCommand {
  return { command: `${FOLDER}node_modules/${path}`, args, env: {} };
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

/** The Python that runs the real ContextForge. @throws {Error} when it is not installed */
export function contextForgePython(): { readonly command: string; readonly env: Record<string, string> } {
  return pythonWith(packagesOf("contextforge"));
}

/** The validator of Kubernetes manifests, which has the schemas of Kubernetes' versions. @throws {Error} when it is not installed */
export function kubernetesValidate(...args: readonly string[]): PublishedCommand {
  return { ...pythonWith(packagesOf("kubernetes")), args: ["-m", "kubernetes_validate", ...args] };
}

/** A program that was built from a Go module. */
export function publishedGo(name: keyof typeof GO_PROGRAMS, ...args: readonly string[]): PublishedCommand {
  return { command: `${FOLDER}bin/${name}`, args, env: {} };
}

/** The program that was built of the crate of tests/programs/published. */
export function publishedRust(...args: readonly string[]): PublishedCommand {
  return { command: `${FOLDER}call_rust/target/debug/call`, args, env: {} };
}

/** The class that was compiled by the project of tests/programs/published, with the jars of its dependencies. */
export function publishedJava(...args: readonly string[]): PublishedCommand {
  const target = `${FOLDER}call_java/target`;
  const classPath = `${target}/classes:${Deno.readTextFileSync(`${target}/classpath.txt`)}`;
  return { command: "java", args: ["-cp", classPath, "Call", ...args], env: {} };
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
      for (const name of [1, 2, "contextforge", "kubernetes"] as const) {
        await installPythonPackages(python, `${FOLDER}requirements_${name}.txt`, packagesOf(name));
      }
    },
    what: "the published packages from PyPI",
  },
  { program: "go", install: buildGoPrograms, what: "the published Go modules" },
  {
    program: "cargo",
    install: (cargo) => build(cargo, ["build", "--quiet", "--locked"], `${FOLDER}call_rust`),
    what: "the published crate",
  },
  {
    program: "mvn",
    install: (mvn) => build(mvn, MAVEN_ARGS, `${FOLDER}call_java`),
    what: "the published Java libraries",
  },
];

/** The class path goes into a file, because Maven takes seconds to find it. */
const MAVEN_ARGS = [
  ...["--quiet", "--batch-mode", "--strict-checksums", "compile"],
  ...["dependency:build-classpath", "-Dmdep.outputFile=target/classpath.txt"],
];

/** The builders of languages that a machine may lack. The tests of their programs are left out then, but not with CI=true. */
export type Builder = "go" | "cargo" | "mvn";

export function hasBuilder(name: Builder): boolean {
  return findProgram(name) !== null;
}

/** go.sum pins the modules. An unchanged program is not built again. @throws {Error} with the output of Go */
async function buildGoPrograms(go: string): Promise<void> {
  for (const [name, module] of Object.entries(GO_PROGRAMS)) {
    await build(go, ["build", "-mod=readonly", "-o", `bin/${name}`, module], FOLDER);
  }
}

async function build(program: string, args: readonly string[], cwd: string): Promise<void> {
  const command = new Deno.Command(program, { args: [...args], cwd, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  if (!success) throw new Error(`${program} ${args.join(" ")} failed:\n${output}`);
}

function packagesOf(name: PythonPackages): string {
  return `${FOLDER}python_packages_${name}`;
}
