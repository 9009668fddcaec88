// The program as a few JavaScript files, which hold of the packages only what the program imports.
//
// `deno compile` would put every package of the lock file into the executable, those of the tests included, and each thread of the
// program would load its modules one by one.

import { builtinModules } from "node:module";
import * as esbuild from "esbuild";
import config from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url).pathname;

/** The file that starts the program. */
export const MAIN = "main.js";

/** The modules that run in threads of their own, by the file that each becomes. No import statement names them. */
const THREADS: Readonly<Record<string, string>> = {
  "worker.js": "src/worker/main.ts",
  "argon2_thread.js": "src/auth/logins/argon2_thread.ts",
};

export const THREAD_FILES: readonly string[] = Object.keys(THREADS);

/** Ids of SPDX (https://spdx.org/licenses/) in the place of those that packages have. */
const SPDX_IDS: Readonly<Record<string, string>> = { "BSD-0-Clause": "0BSD" };

/** A package of which the program has modules. */
export interface Embedded {
  readonly name: string;
  readonly version: string;
  /** SPDX. */
  readonly license: string;
  /** The licence as the package has it; empty: it has none. */
  readonly text: string;
}

/**
 * Writes the program into `folder`, with a configuration that turns on what it needs of Deno.
 * @throws {Error} if a package cannot be installed or a module cannot be resolved
 */
export async function bundle(folder: string): Promise<readonly Embedded[]> {
  const tree = await Deno.makeTempDir({ prefix: "sluice_bundle_" });
  try {
    await install(tree);
    const { metafile } = await esbuild.build({
      absWorkingDir: tree,
      entryPoints: [
        { in: `${tree}/src/main.ts`, out: withoutEnding(MAIN) },
        ...Object.entries(THREADS).map(([file, source]) => ({
          in: `${tree}/${source}`,
          out: withoutEnding(file),
        })),
      ],
      outdir: folder,
      bundle: true,
      splitting: true,
      metafile: true,
      format: "esm",
      platform: "node",
      target: "esnext",
      conditions: ["deno", "module", "import"],
      mainFields: ["module", "main"],
      jsx: "automatic",
      jsxImportSource: config.compilerOptions.jsxImportSource,
      // Packages of the older kind ask for modules of Node while they run.
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
      },
      plugins: [denoImports, threads],
      logLevel: "warning",
    });
    // The executable has to hold what is imported on use.
    const unstable = config.unstable.filter((name) => name !== "lazy-dynamic-imports");
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ unstable }));
    return await packagesIn(tree, Object.keys(metafile.inputs));
  } finally {
    await esbuild.stop();
    await Deno.remove(tree, { recursive: true });
  }
}

/** Puts the sources and the packages of the lock file into a folder, where esbuild finds them as Node would. */
async function install(tree: string): Promise<void> {
  for (const name of ["deno.json", "deno.lock", "src"]) {
    const { success } = await new Deno.Command("cp", { args: ["-r", `${ROOT}${name}`, tree] }).output();
    if (!success) throw new Error(`${name} cannot be copied to ${tree}`);
  }
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--frozen", "--node-modules-dir=auto"],
    cwd: tree,
  }).output();
  if (!success) throw new Error(`The packages cannot be installed: ${new TextDecoder().decode(stderr)}`);
}

/** Packages that are imported on use. */
const ON_USE = "on use";

/** Finds the packages that `imports` of deno.json names, and the modules of Node. */
const denoImports: esbuild.Plugin = {
  name: "imports of deno.json",
  setup(build) {
    const imports: Readonly<Record<string, string>> = config.imports;
    const folders = Object.keys(imports).filter((name) => name.endsWith("/"));
    build.onResolve(
      { filter: /^[^./]/ },
      ({ path, kind, importer, resolveDir, pluginData, with: attributes }) => {
        if (kind === "entry-point" || pluginData === denoImports) return;
        const name = path.replace(/^node:/, "");
        if (builtinModules.includes(name)) return { path: `node:${name}`, external: true };
        const folder = folders.find((name) => path.startsWith(name));
        const target = imports[path] ?? (folder && `${imports[folder]}${path.slice(folder.length)}`);
        if (target === undefined) return;
        if (kind === "dynamic-import") return { path, namespace: ON_USE, pluginData: { tree: resolveDir } };
        const inPackage = target.replace(/^npm:\/?/, "").replace(/^((?:@[^/]+\/)?[^@/]+)@[^/]+/, "$1");
        return build.resolve(inPackage, {
          ...{ kind, importer, resolveDir },
          with: attributes,
          pluginData: denoImports,
        });
      },
    );
    // A package of the older kind that is imported on use would have its default export alone, so its names are written out.
    build.onLoad({ filter: /.*/, namespace: ON_USE }, async ({ path, pluginData: { tree } }) => {
      const found = Object.keys(await import(path)).filter((name) => /^[\w$]+$/.test(name));
      const { path: file } = await build.resolve(path, { kind: "import-statement", resolveDir: tree });
      const own = await exportsOf(file);
      // Deno may have found the file of the older kind, whose names are in `default` too.
      const names = own.length === 0 || own.includes("default")
        ? found
        : found.filter((name) => name !== "default");
      return { contents: `export { ${names.join(", ")} } from ${JSON.stringify(path)};`, resolveDir: tree };
    });
  },
};

/** The names that a file exports by itself; none of a file of the older kind. */
async function exportsOf(file: string): Promise<readonly string[]> {
  const { metafile } = await esbuild.build({
    entryPoints: [file],
    ...{ write: false, metafile: true, format: "esm", outdir: "/", logLevel: "silent" },
  });
  return Object.values(metafile.outputs).flatMap((output) => output.exports);
}

/** Points the starts of threads to the files that the threads become. */
const threads: esbuild.Plugin = {
  name: "threads",
  setup(build) {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      const source = await Deno.readTextFile(path);
      if (!source.includes("new Worker(")) return;
      const contents = source.replace(/new URL\("([^"]+\.ts)", import\.meta\.url\)/g, (_, relative) => {
        const module = new URL(relative, `file://${path}`).pathname;
        const file = THREAD_FILES.find((file) => module.endsWith(`/${THREADS[file]}`));
        if (file === undefined) {
          throw new Error(`${path} starts ${relative}, which scripts/bundle.ts does not know`);
        }
        return `new URL("./${file}", import.meta.url)`;
      });
      return { contents, loader: "ts" };
    });
  },
};

/** @param inputs the modules, relative to `tree` */
async function packagesIn(tree: string, inputs: readonly string[]): Promise<readonly Embedded[]> {
  const folders = new Set(inputs.flatMap((path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []));
  const packages = [...folders].map(async (folder) => {
    const { name, version, license } = JSON.parse(await Deno.readTextFile(`${tree}/${folder}/package.json`));
    const files = [...Deno.readDirSync(`${tree}/${folder}`)].map(({ name }) => name);
    const file = files.find((name) => /^(licen[cs]e|copying)/i.test(name));
    const text = file === undefined ? "" : await Deno.readTextFile(`${tree}/${folder}/${file}`);
    return { name, version, license: SPDX_IDS[license] ?? license, text: text.trim() };
  });
  return (await Promise.all(packages)).sort((one, other) => one.name < other.name ? -1 : 1);
}

function withoutEnding(file: string): string {
  return file.replace(/\.js$/, "");
}
