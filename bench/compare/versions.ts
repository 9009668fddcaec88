// The versions of what is installed.
import { FOLDER, packagesOf, type PythonPackages } from "./install.ts";

export function npmVersion(name: string): string {
  return JSON.parse(Deno.readTextFileSync(`${FOLDER}node_modules/${name}/package.json`)).version;
}

/** @param distribution the name on PyPI, with underscores */
export function pythonVersion(packages: PythonPackages, distribution: string): string {
  for (const { name } of Deno.readDirSync(packagesOf(packages))) {
    const version = new RegExp(`^${distribution}-(.+)\\.dist-info$`, "i").exec(name)?.[1];
    if (version !== undefined) return version;
  }
  throw new Error(`${distribution} is not installed in ${packagesOf(packages)}`);
}
