// Proves the tree's rules from the module graph: folders import only lower ranks, no cycles, no file too long.

/** A folder under src -> its rank. main.ts stands above all; version.ts beside the folders of rank 1, for all above them. */
const RANKS: Readonly<Record<string, number>> = {
  base: 0,
  config: 1,
  mcp: 1,
  telemetry: 1,
  "version.ts": 1.5,
  store: 2,
  cache: 2,
  upstream: 3,
  auth: 3,
  catalog: 4,
  proxy: 5,
  http: 5,
  downstream: 6,
  admin: 6,
  ui: 6,
  worker: 7,
  supervisor: 8,
  cli: 9,
  "main.ts": 10,
};

const MAX_LINES = 400;

/** Every file of src (path from the root, with slashes) -> the local files that it imports, types included. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/** The broken rules of `graph`, one sentence each. */
export function findFaults(graph: Graph): string[] {
  return [
    ...findLayerFaults(graph),
    ...findCycles(graph).map((files) => `import cycle: ${files.join(" -> ")}`),
  ];
}

function findLayerFaults(graph: Graph): string[] {
  const faults: string[] = [];
  const unknown = new Set<string>();
  for (const [file, imports] of graph) {
    const from = folderOf(file);
    if (RANKS[from] === undefined) unknown.add(from);
    for (const imported of imports) {
      if (!imported.startsWith("src/")) {
        faults.push(`${file} imports ${imported}: src imports nothing outside src`);
        continue;
      }
      const to = folderOf(imported);
      if (to === from || RANKS[from] === undefined || RANKS[to] === undefined) continue;
      if (RANKS[to] >= RANKS[from]) {
        faults.push(
          `${file} imports ${imported}: ${from} [${RANKS[from]}] must not import ${to} [${RANKS[to]}]`,
        );
      }
    }
  }
  return [...faults, ...[...unknown].map((folder) => `src/${folder} has no rank in scripts/check_layers.ts`)];
}

/** One cycle for each file that closes one, in the order of a depth-first walk; a cycle ends with its first file. */
export function findCycles(graph: Graph): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string) => {
    const start = path.indexOf(file);
    if (start !== -1) {
      cycles.push([...path.slice(start), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const imported of graph.get(file) ?? []) visit(imported);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}

/** "src/config/load.ts" -> "config"; "src/main.ts" -> "main.ts". */
function folderOf(file: string): string {
  return file.split("/")[1];
}

/** What `deno info --json` says of a module, as far as it matters here. */
interface InfoModule {
  readonly specifier: string;
  readonly dependencies?: ReadonlyArray<{
    readonly code?: { readonly specifier?: string };
    readonly type?: { readonly specifier?: string };
  }>;
}

/** The graph of all `files` (paths from `root`), by one `deno info` over a module that imports them all. */
async function readGraph(root: URL, files: readonly string[]): Promise<Graph> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      entry,
      files.map((file) => `import ${JSON.stringify(new URL(file, root).href)};\n`).join(""),
    );
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", new URL("deno.json", root).pathname, entry],
      cwd: root,
    }).output();
    if (!success) throw new Error(`deno info failed: ${new TextDecoder().decode(stderr)}`);
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: InfoModule[] };
    const wanted = new Set(files.map((file) => new URL(file, root).href));
    return new Map(
      modules.filter(({ specifier }) => wanted.has(specifier)).map((module) => [
        pathIn(root, module.specifier),
        localImports(module).map((specifier) => pathIn(root, specifier)),
      ]),
    );
  } finally {
    await Deno.remove(entry);
  }
}

function localImports({ dependencies = [] }: InfoModule): string[] {
  const specifiers = dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier]);
  return [...new Set(specifiers)].filter((specifier) =>
    specifier?.startsWith("file://") === true
  ) as string[];
}

function pathIn(root: URL, specifier: string): string {
  return specifier.startsWith(root.href) ? specifier.slice(root.href.length) : specifier;
}

/** Every source file under `folder` that is no test, as a path from `root`. */
async function sourceFiles(root: URL, folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    if (isDirectory) files.push(...await sourceFiles(root, `${folder}${name}/`));
    else if (/\.tsx?$/.test(name) && !/_test\.tsx?$/.test(name)) files.push(`${folder}${name}`);
  }
  return files.sort();
}

async function findLongFiles(root: URL, files: readonly string[]): Promise<string[]> {
  const faults: string[] = [];
  for (const file of files) {
    const lines = (await Deno.readTextFile(new URL(file, root))).split("\n").length - 1;
    if (lines > MAX_LINES) faults.push(`${file} has ${lines} lines; at most ${MAX_LINES}: split it`);
  }
  return faults;
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  const files = await sourceFiles(root, "src/");
  const graph = await readGraph(root, files);
  const missing = files.filter((file) => !graph.has(file)).map((file) =>
    `${file} is not in deno info's graph`
  );
  const faults = [...missing, ...findFaults(graph), ...await findLongFiles(root, files)];
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
  console.log(`layers: ${files.length} files in order`);
}
