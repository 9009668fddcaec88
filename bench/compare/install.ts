// Installs what the comparison starts, from lock files alone: npm and Python packages with hashes, Go modules by go.sum, and a crate with
// the Cargo.lock that it was published with.

import { installNpmPrograms } from "../../tests/support/npm_programs.ts";
import { findProgram } from "../../tests/support/programs.ts";
import { installPythonPackages } from "../../tests/support/python_programs.ts";

export const FOLDER = new URL("./programs/", import.meta.url).pathname;
const TEST_PROGRAMS = new URL("../../tests/programs/", import.meta.url).pathname;
const CONTEXTFORGE_LOCK = `${TEST_PROGRAMS}published/requirements_contextforge.txt`;

/** The programs that install. A machine may lack those of Go and Rust: their peers are left out then. */
export type Installer = "npm" | "python3" | "go" | "cargo";

const OPTIONAL: Partial<Record<Installer, string>> = {
  go: "Go (https://go.dev/dl)",
  cargo: "cargo (https://rustup.rs)",
};

/** Python packages that are installed together: their versions exclude those of the others. */
export type PythonPackages = "contextforge" | "fastmcp" | "litellm" | "mcp_proxy";

/** A folder of `programs` with a go.mod and a go.sum of its own: the versions of one program do not raise those of another. */
export interface GoProgram {
  readonly folder: string;
  readonly package: string;
  readonly module: string;
}

export interface Crate {
  readonly name: string;
  readonly version: string;
}

/** How a peer is installed. */
export interface Installation {
  readonly by: Installer;
  /** An installed version is not installed again. @throws {Error} with the output of the installer */
  readonly install: () => Promise<void>;
}

export const BY_NPM: Installation = {
  by: "npm",
  install: async () => {
    const npm = programOf("npm");
    // The Node that runs the programs is one of the tests' programs.
    await installNpmPrograms(npm, TEST_PROGRAMS);
    await installNpmPrograms(npm, FOLDER);
  },
};

export function byPip(name: PythonPackages): Installation {
  const lock = name === "contextforge" ? CONTEXTFORGE_LOCK : `${FOLDER}requirements_${name}.txt`;
  return {
    by: "python3",
    install: () => installPythonPackages(programOf("python3"), lock, packagesOf(name)),
  };
}

export function packagesOf(name: PythonPackages): string {
  return `${FOLDER}python_packages_${name}`;
}

export function byGo(program: GoProgram): Installation {
  const args = ["build", "-mod=readonly", "-o", goExecutable(program), program.package];
  return { by: "go", install: () => build(programOf("go"), args, FOLDER + program.folder) };
}

export function goExecutable({ folder }: GoProgram): string {
  return `${FOLDER}bin/${folder}`;
}

export function byCargo({ name, version }: Crate): Installation {
  // The folder of the compiler stays, so that an interrupted installation goes on.
  const folders = ["--root", FOLDER, "--target-dir", `${FOLDER}target`];
  const args = ["install", "--quiet", "--locked", "--version", `=${version}`, ...folders, name];
  return { by: "cargo", install: () => build(programOf("cargo"), args, FOLDER) };
}

export function crateExecutable({ name }: Crate): string {
  return `${FOLDER}bin/${name}`;
}

/** What has to be installed before, for the peers of this installer; null: it is there, or the comparison cannot do without it. */
export function lackOf({ by }: Installation): string | null {
  return OPTIONAL[by] !== undefined && findProgram(by) === null ? OPTIONAL[by] : null;
}

function programOf(name: Installer): string {
  const path = findProgram(name);
  if (path === null) throw new Error(`${name} is not installed. On Debian: apt-get install ${name}`);
  return path;
}

async function build(program: string, args: readonly string[], cwd: string): Promise<void> {
  const command = new Deno.Command(program, { args: [...args], cwd, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  if (!success) throw new Error(`${program} ${args.join(" ")} failed:\n${output}`);
}
