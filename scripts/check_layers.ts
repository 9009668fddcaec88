// Checks the structure of src from the module graph. A folder imports only lower ones, there are no import cycles, no folder
// holds more files than a reader can survey, and no two files have one name.

/**
 * The folders of src, lowest first. A folder imports only from lines above its own; folders on one line do not import each other.
 * `version.ts` and `main.ts` stand beside the folders of their line.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ["base"],
  ["telemetry"],
  ["mcp", "config"],
  ["version.ts", "client_config", "help"],
  ["store", "cache"],
  ["upstream", "auth"],
  ["catalog", "http", "audit_export"],
  ["tuning"],
  ["proxy", "admin"],
  ["downstream", "ui"],
  ["cluster"],
  ["worker"],
  ["supervisor"],
  ["demo"],
  ["cli"],
  ["main.ts"],
];

/** The same inside the folders that have rooms; "." are the files of the folder itself. */
export const ROOMS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  base: [["sharing"], ["."], ["egress"]],
  telemetry: [["."], ["traces"]],
  config: [["settings"], ["."]],
  store: [
    ["sql"],
    [
      "postgres",
      "sqlite",
      "tokens",
      "audit",
      "quotas",
      "approvals",
      "oauth",
      "executions",
      "upstream_tokens",
    ],
    ["people"],
    ["registry"],
    ["."],
  ],
  auth: [["keys"], ["logins"], ["sso"], ["."], ["quotas", "api_tokens"], ["oauth"]],
  upstream: [
    ["resilience", "http1"],
    ["transport", "dial"],
    ["http_client", "client"],
    ["authorization"],
    ["identity"],
    ["streamable_http", "duplex", "pool"],
    ["stdio", "sse", "websocket", "session"],
    ["bound"],
    ["notifications"],
    ["health"],
    ["."],
  ],
  tuning: [["."], ["files"]],
  catalog: [["snapshot"], ["overlay"], ["."]],
  admin: [
    ["connections"],
    ["rest"],
    ["configurations"],
    ["openapi"],
    ["metrics"],
    ["pages"],
    ["gateways", "servers", "entities", "people", "approvals", "operation"],
    ["imports", "transfer", "tokens"],
    ["contextforge"],
    ["."],
  ],
  http: [["representation", "limits"], ["."]],
  proxy: [["call"], ["tasks"], ["resources"], ["methods"], ["."]],
  downstream: [["exchange"], ["client"], ["session"], ["sessionless"], ["http", "duplex"]],
  ui: [
    ["assets"],
    ["call"],
    ["parts", "sso"],
    ["oauth", "connections"],
    ["entries", "people", "system"],
    ["servers", "upstreams"],
    ["start"],
    ["."],
  ],
  worker: [["protocol"], ["listen", "handover"], ["wiring"], ["."]],
  supervisor: [["kernel"], ["."]],
  cli: [
    ["commands"],
    ["command_line", "isolation"],
    [
      "stdio",
      "import",
      "connect",
      "help",
      "people",
      "doctor",
      "bench",
      "monitoring",
    ],
    ["tune"],
    ["."],
  ],
};

const MAX_LINES = 400;
const MAX_FILES_PER_FOLDER = 15;

/** Entry points are named by convention. */
const SHARED_NAMES: ReadonlySet<string> = new Set(["main.ts"]);

/** Every file of src (path from the root, with slashes) -> the local files that it imports, types included. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/** The broken rules of `graph`, one sentence each. */
export function findFaults(graph: Graph): string[] {
  return [
    ...findLayerFaults(graph),
    ...findCycles(graph).map((files) => `import cycle: ${files.join(" -> ")}`),
    ...findCrowdedFolders([...graph.keys()]),
    ...findSharedNames([...graph.keys()]),
  ];
}

function findLayerFaults(graph: Graph): string[] {
  const faults = new Set<string>();
  for (const [file, imports] of graph) {
    const from = placeOf(file);
    if (rankOf(FLOORS, from.floor) === -1) {
      faults.add(`src/${from.floor} has no rank in FLOORS of scripts/check_layers.ts`);
      continue;
    }
    const rooms = ROOMS[from.floor] ?? [["."]];
    if (from.room !== null && rankOf(rooms, from.room) === -1) {
      faults.add(`src/${from.floor}/${from.room} has no rank in ROOMS of scripts/check_layers.ts`);
      continue;
    }
    for (const imported of imports) {
      if (!imported.startsWith("src/")) {
        faults.add(`${file} imports ${imported}: src imports nothing outside src`);
        continue;
      }
      const to = placeOf(imported);
      const isAllowed = to.floor !== from.floor
        ? rankOf(FLOORS, to.floor) < rankOf(FLOORS, from.floor)
        : to.room === from.room || rankOf(rooms, to.room!) < rankOf(rooms, from.room!);
      if (isAllowed) continue;
      const [higher, lower] = to.floor === from.floor ? [to.room, from.room] : [to.floor, from.floor];
      faults.add(`${file} imports ${imported}: ${higher} does not rank below ${lower}`);
    }
  }
  return [...faults];
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

/** Folders whose files a reader cannot survey at one look. */
export function findCrowdedFolders(files: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const file of files) {
    const folder = file.slice(0, file.lastIndexOf("/"));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > MAX_FILES_PER_FOLDER).map(([folder, count]) =>
    `${folder} has ${count} files; at most ${MAX_FILES_PER_FOLDER}: give some of them a room`
  );
}

/** Files that a reader would confuse: two of one name. */
export function findSharedNames(files: readonly string[]): string[] {
  const byName = Map.groupBy(files, (file) => file.slice(file.lastIndexOf("/") + 1));
  return [...byName].filter(([name, same]) => same.length > 1 && !SHARED_NAMES.has(name)).map(([, same]) =>
    `${same.join(" and ")} have one name`
  );
}

/**
 * Where a file stands: "src/upstream/pool/lease.ts" -> upstream, pool; "src/cli/serve.ts" -> cli, "."; "src/main.ts" -> main.ts,
 * null. Deeper folders belong to their room.
 */
function placeOf(file: string): { readonly floor: string; readonly room: string | null } {
  const parts = file.split("/");
  const [, floor, room] = parts;
  if (parts.length === 2) return { floor: floor!, room: null };
  return { floor: floor!, room: parts.length === 3 ? "." : room! };
}

/** -1 where the name has none. */
function rankOf(ranks: readonly (readonly string[])[], name: string): number {
  return ranks.findIndex((names) => names.includes(name));
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
