// Installs what the comparison starts, from the lock files of bench/compare/programs alone:
//
//   deno run -A bench/compare/install.ts
//
// npm packages with hashes, Python packages with hashes, and ContextForge by the lock file that the tests have of it.

import { installNpmPrograms } from "../../tests/support/npm_programs.ts";
import { findProgram } from "../../tests/support/programs.ts";
import { installPythonPackages } from "../../tests/support/python_programs.ts";

export const FOLDER = new URL("./programs/", import.meta.url).pathname;
const TEST_PROGRAMS = new URL("../../tests/programs/", import.meta.url).pathname;
const CONTEXTFORGE_LOCK = `${TEST_PROGRAMS}published/requirements_contextforge.txt`;

/** The Python packages that are installed together: their versions exclude those of the others. */
export const PYTHON_PACKAGES = ["contextforge", "fastmcp", "litellm", "mcp_proxy"] as const;

export type PythonPackages = typeof PYTHON_PACKAGES[number];

export function lockFileOf(name: PythonPackages): string {
  return name === "contextforge" ? CONTEXTFORGE_LOCK : `${FOLDER}requirements_${name}.txt`;
}

export function packagesOf(name: PythonPackages): string {
  return `${FOLDER}python_packages_${name}`;
}

/** @throws {Error} npm or python3 is missing, or fails */
export async function install(): Promise<void> {
  const [npm, python] = [programOf("npm"), programOf("python3")];
  // The Node that runs the programs is one of the tests' programs.
  await installNpmPrograms(npm, TEST_PROGRAMS);
  await installNpmPrograms(npm, FOLDER);
  for (const name of PYTHON_PACKAGES) await installPythonPackages(python, lockFileOf(name), packagesOf(name));
}

function programOf(name: string): string {
  const path = findProgram(name);
  if (path === null) throw new Error(`${name} is not installed. On Debian: apt-get install ${name}`);
  return path;
}

if (import.meta.main) await install();
