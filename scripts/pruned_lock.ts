// The lock file of a program: the entries of deno.lock that its modules need, without those of tests. `deno compile` puts every
// package of the lock file into the executable.

/** What `deno info --json` says of a program, as far as it is needed here. */
export interface Graph {
  readonly modules: readonly { readonly kind?: string; readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<Record<string, { readonly dependencies: readonly string[] }>>;
}

/** @param root a folder with deno.json. @param path of a root module, from there */
export async function graphOf(root: string, path: string): Promise<Graph> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", path], cwd: root })
    .output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

export interface LockFile {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<Record<string, unknown>>;
  readonly workspace?: unknown;
}

/** @param graphs of `deno info --json`, one for each root of the program */
export function prunedLock(lock: LockFile, graphs: readonly Graph[]): LockFile {
  const needed = new Set(
    graphs.flatMap(({ modules }) => modules.flatMap(({ npmPackage }) => npmPackage ?? [])),
  );
  for (const name of needed) {
    for (const { npmPackages } of graphs) {
      for (const dependency of npmPackages[name]?.dependencies ?? []) needed.add(dependency);
    }
  }
  const { workspace: _ofTests, ...rest } = lock;
  return {
    ...rest,
    specifiers: Object.fromEntries(
      Object.entries(lock.specifiers).filter(([specifier, version]) =>
        needed.has(`${nameOf(specifier)}@${version}`)
      ),
    ),
    npm: Object.fromEntries(Object.entries(lock.npm).filter(([name]) => needed.has(name))),
  };
}

/** `hono` of `npm:hono@4.13.19`. */
function nameOf(specifier: string): string {
  return specifier.slice("npm:".length, specifier.lastIndexOf("@"));
}
