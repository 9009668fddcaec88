// Packages from PyPI that tests need. tests/programs/requirements.txt pins all of them by hash.
import { findProgram } from "./programs.ts";

const FOLDER = new URL("../programs/", import.meta.url).pathname;
const PACKAGES = `${FOLDER}python_packages`;
/** Beside the packages: a copy of the lock file that they were installed from. */
const INSTALLED_LOCK = "installed.txt";

/** A Python program of tests/programs with the packages on its path. @throws {Error} when they are not installed */
export function pythonProgram(name: string, ...args: readonly string[]): Deno.Command {
  const { command, env } = pythonWith(PACKAGES);
  return new Deno.Command(command, {
    args: [`${FOLDER}${name}`, ...args],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Python, and the environment in which it finds the packages of a folder. @throws {Error} when they are not installed */
export function pythonWith(
  packages: string,
): { readonly command: string; readonly env: Record<string, string> } {
  const command = findProgram("python3");
  if (command === null || !exists(`${packages}/${INSTALLED_LOCK}`)) {
    throw new Error(`${packages} is not installed: run \`deno task test\`, which installs it`);
  }
  return { command, env: { PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1" } };
}

/**
 * Installs the packages of a lock file into a folder, unless they are there.
 * @throws {Error} with the output of pip
 */
export async function installPythonPackages(
  python: string,
  lockFile: string = `${FOLDER}requirements.txt`,
  packages: string = PACKAGES,
): Promise<void> {
  const installedLock = `${packages}/${INSTALLED_LOCK}`;
  const lock = await Deno.readTextFile(lockFile);
  if (await Deno.readTextFile(installedLock).catch(() => "") === lock) return;
  console.error(`Installing the packages of ${lockFile}`);
  await Deno.remove(packages, { recursive: true }).catch(() => {});
  // The lock files are complete, and pip would look for the newest version of an extra that they do not name.
  const options = [
    "--quiet",
    "--disable-pip-version-check",
    "--require-hashes",
    "--only-binary=:all:",
    "--no-deps",
  ];
  const { success, stdout, stderr } = await new Deno.Command(python, {
    args: ["-m", "pip", "install", ...options, "--target", packages, "-r", lockFile],
    stdin: "null",
  }).output();
  if (!success) {
    const decoder = new TextDecoder();
    throw new Error(`pip failed for ${lockFile}:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
  }
  await Deno.writeTextFile(installedLock, lock);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
