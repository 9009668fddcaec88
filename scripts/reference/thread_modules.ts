// Which modules a thread of `serve` loads, for a file that the thread imports before all others.
//
// Deno decodes the source map of each module that is the first to import another one, and keeps it: 4 MB in a worker
// (source_mapped_module_load_referrer, https://github.com/denoland/deno/blob/v2.9.5/libs/core/modules/recursive_load.rs). With such a file,
// the first to import a module is the file, which is JavaScript and has no source map. A module that the file lacks costs its share of this.

interface InfoModule {
  readonly specifier: string;
  readonly dependencies?: readonly { code?: { specifier?: string }; isDynamic?: boolean }[];
}

/** The file of each thread, by the module that is imported when the thread starts. Paths from the root. */
export const MODULE_FILES: Readonly<Record<string, string>> = {
  "src/cli/serve.ts": "src/cli/serve_modules.js",
  "src/worker/main.ts": "src/worker/worker_modules.js",
};

/** The text of the file for `entry`, one of `MODULE_FILES`. @param root ends with a slash */
export async function threadModules(root: URL, entry: string): Promise<string> {
  return moduleFile(importedModules(await infoOf(root, entry), root.href, entry));
}

/** The modules of this project that `entry` imports, itself or through others, whenever it is imported. Paths from the root, sorted. */
export function importedModules(modules: readonly InfoModule[], root: string, entry: string): string[] {
  const bySpecifier = new Map(modules.map((module) => [module.specifier, module]));
  const found = new Set([root + entry]);
  for (const specifier of found) {
    for (const { code, isDynamic } of bySpecifier.get(specifier)?.dependencies ?? []) {
      const imported = code?.specifier;
      if (imported?.startsWith(root) && /\.tsx?$/.test(imported) && !isDynamic) found.add(imported);
    }
  }
  return [...found].map((specifier) => specifier.slice(root.length)).filter((path) => path !== entry).sort();
}

/** A file of JavaScript, two folders deep, that imports `paths`. They are paths from the root. */
export function moduleFile(paths: readonly string[]): string {
  return [
    "// Written by `deno task reference`: all modules of the thread. scripts/reference/thread_modules.ts says why.\n\n",
    ...paths.map((path) => `import "${path.replace(/^src/, "..")}";\n`),
  ].join("");
}

async function infoOf(root: URL, entry: string): Promise<readonly InfoModule[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: root,
  }).output();
  if (!success) throw new Error(`deno info ${entry} failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout)).modules;
}
