// Packages from PyPI that tests need. tests/programs/requirements.txt pins all of them by hash.
import { findProgram } from "./programs.ts";

const FOLDER = new URL("../programs/", import.meta.url).pathname;
const PACKAGES = `${FOLDER}python_packages`;
const LOCK = `${FOLDER}requirements.txt`;
/** A copy of the lock file that the packages were installed from. */
const INSTALLED_LOCK = `${PACKAGES}/installed.txt`;

/** A Python program of tests/programs with the packages on its path. @throws {Error} when they are not installed */
export function pythonProgram(name: string): Deno.Command {
  const python = findProgram("python3");
  if (python === null || !exists(INSTALLED_LOCK)) {
    throw new Error(
      "the packages of tests/programs/requirements.txt are not installed: run `deno task test`",
    );
  }
  return new Deno.Command(python, {
    args: [`${FOLDER}${name}`],
    env: { PYTHONPATH: PACKAGES, PYTHONDONTWRITEBYTECODE: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Installs the packages, unless those of this lock file are there. @throws {Error} with the output of pip */
export async function installPythonPackages(python: string): Promise<void> {
  const lock = await Deno.readTextFile(LOCK);
  if (await Deno.readTextFile(INSTALLED_LOCK).catch(() => "") === lock) return;
  console.error("Installing the packages of tests/programs/requirements.txt");
  await Deno.remove(PACKAGES, { recursive: true }).catch(() => {});
  const options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"];
  const { success, stdout, stderr } = await new Deno.Command(python, {
    args: ["-m", "pip", "install", ...options, "--target", PACKAGES, "-r", LOCK],
    stdin: "null",
  }).output();
  if (!success) {
    const decoder = new TextDecoder();
    throw new Error(`pip failed in tests/programs:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
  }
  await Deno.writeTextFile(INSTALLED_LOCK, lock);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
