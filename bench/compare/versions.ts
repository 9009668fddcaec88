// The versions of what is installed.
import { FOLDER, type GoProgram, packagesOf, type PythonPackages } from "./install.ts";

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

/** Of the go.mod that pins the program. */
export function goVersion({ folder, module }: GoProgram): string {
  const pinned = Deno.readTextFileSync(`${FOLDER}${folder}/go.mod`);
  const version = new RegExp(`${module} v(\\S+)`).exec(pinned)?.[1];
  if (version === undefined) throw new Error(`${FOLDER}${folder}/go.mod does not have ${module}`);
  return version;
}
