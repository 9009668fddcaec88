// Servers that others have published say the same through the gateway as directly, byte for byte: every list, results, errors. Those
// that speak both kinds of revisions do so in both.
import { assert, assertEquals } from "@std/assert";
import { elementTexts, memberText, memberTexts } from "../../src/mcp/json_rpc.ts";
import { endChild } from "../support/end_child.ts";
import { freePort } from "../support/free_port.ts";
import { npmProgram } from "../support/npm_programs.ts";
import {
  hasBuilder,
  publishedGo,
  publishedNode,
  publishedPython,
  pythonScript,
} from "../support/published_programs.ts";
import { askHttp, askProcess, type RawAsker, type RawCommand, type Spoken } from "../support/raw_asker.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

type Request = readonly [method: string, params: Record<string, unknown>];

interface PublishedServer {
  readonly name: string;
  /** Its process; `folder` is as new for each comparison. */
  readonly start: (folder: string) => RawCommand;
  /** The revisions that are compared. Those that are found have to be the same. */
  readonly spoken: readonly Spoken[];
  /** Besides the lists. They say the same whenever they are asked. */
  readonly requests: readonly Request[];
}

const SESSIONS: readonly Spoken[] = ["2025-11-25"];
const BOTH: readonly Spoken[] = ["2025-11-25", "2026-07-28"];
const call = (name: string, args: Record<string, unknown> = {}): Request => [
  "tools/call",
  { name, arguments: args },
];
const read = (uri: string): Request => ["resources/read", { uri }];
const prompt = (name: string, args: Record<string, unknown> = {}): Request => [
  "prompts/get",
  { name, arguments: args },
];
const npm = (...command: Parameters<typeof npmProgram>): RawCommand => ({
  ...npmProgram(...command),
  env: {},
});

const SERVERS: readonly PublishedServer[] = [
  {
    name: "everything",
    start: () => npm("mcp-server-everything"),
    spoken: SESSIONS,
    requests: [
      call("echo", { message: "ü \u2028 \u{1f600}" }),
      call("get-sum", { a: 1.5, b: 1e21 }),
      call("get-sum", { a: "x" }),
      call("get-tiny-image"),
      call("get-structured-content", { location: "Chicago" }),
      call("get-annotated-message", { messageType: "error", includeImage: true }),
      call("get-resource-links", { count: 3 }),
      read("demo://resource/static/document/features.md"),
      read("demo://resource/dynamic/text/no-number"),
      prompt("simple-prompt"),
      prompt("args-prompt", { city: "Paris", state: "TX" }),
      ["completion/complete", {
        ref: { type: "ref/prompt", name: "completable-prompt" },
        argument: { name: "department", value: "E" },
      }],
    ],
  },
  {
    name: "filesystem",
    start: (folder) => npm("mcp-server-filesystem", folder),
    spoken: SESSIONS,
    requests: [
      call("read_text_file", { path: "text.txt" }),
      call("list_directory", { path: "." }),
      call("read_media_file", { path: "image.png" }),
      call("read_text_file", { path: "missing.txt" }),
      call("edit_file", { path: "text.txt", edits: [{ oldText: "b", newText: "c" }], dryRun: true }),
    ],
  },
  {
    name: "memory",
    start: (folder) => ({ ...npm("mcp-server-memory"), env: { MEMORY_FILE_PATH: `${folder}/memory.jsonl` } }),
    spoken: SESSIONS,
    requests: [
      call("create_entities", { entities: [{ name: "Ada", entityType: "person", observations: ["ü"] }] }),
      call("search_nodes", { query: "ada" }),
      call("read_graph"),
      call("add_observations", { observations: [{ entityName: "Nobody", contents: ["x"] }] }),
    ],
  },
  {
    name: "sequential-thinking",
    start: () => publishedNode("mcp-server-sequential-thinking"),
    spoken: SESSIONS,
    requests: [1, 2].map((thoughtNumber) =>
      call("sequentialthinking", {
        ...{ thought: "so", thoughtNumber, totalThoughts: 3, nextThoughtNeeded: true },
      })
    ),
  },
  {
    name: "system-monitor",
    start: () => publishedNode("mcp-system-monitor-server", "--stdio"),
    spoken: SESSIONS,
    requests: [read("ui://system-monitor/mcp-app.html")],
  },
  {
    name: "time-mcp",
    start: () => npm("time-mcp"),
    spoken: SESSIONS,
    requests: [call("days_in_month", { date: "2028-02-01" }), call("days_in_month", { date: 5 })],
  },
  {
    name: "context7",
    start: () => publishedNode("context7-mcp"),
    spoken: BOTH,
    requests: [call("resolve-library-id", { libraryName: 5 })],
  },
  {
    name: "time",
    start: () => publishedPython(2, "mcp_server_time", "--local-timezone", "UTC"),
    spoken: BOTH,
    requests: [
      call("convert_time", { source_timezone: "UTC", time: "12:30", target_timezone: "Asia/Tokyo" }),
      call("convert_time", { source_timezone: "Mars/Base", time: "12:30", target_timezone: "UTC" }),
    ],
  },
  {
    name: "git",
    start: (folder) => publishedPython(2, "mcp_server_git", "--repository", folder),
    spoken: BOTH,
    requests: [
      call("git_status", { repo_path: "." }),
      call("git_status", {}),
      call("git_show", { repo_path: "/nowhere", revision: "HEAD" }),
    ],
  },
  {
    name: "motherduck",
    start: () => ({
      ...publishedPython(2, "mcp_server_motherduck", "--db-path", ":memory:", "--read-write"),
      env: { ...publishedPython(2, "mcp_server_motherduck").env, FASTMCP_CHECK_FOR_UPDATES: "off" },
    }),
    spoken: BOTH,
    requests: [
      call("execute_query", { sql: "select 1.0::double d, 9007199254740993 i, 'ü' t" }),
      call("execute_query", { sql: "selec" }),
      call("list_databases"),
    ],
  },
  {
    name: "excel",
    start: () => publishedPython(2, "excel_mcp.cli", "stdio"),
    spoken: BOTH,
    requests: [call("describe_workbook", { path: "/nowhere/x.xlsx" }), call("describe_workbook")],
  },
  {
    name: "sqlite",
    start: (folder) => publishedPython(1, "mcp_server_sqlite", "--db-path", `${folder}/a.db`),
    spoken: SESSIONS,
    requests: [
      call("create_table", { query: "create table t (a text)" }),
      call("write_query", { query: "insert into t values ('ü')" }),
      call("read_query", { query: "select * from t" }),
      call("read_query", { query: "selec" }),
      call("append_insight", { insight: "few" }),
      read("memo://insights"),
      prompt("mcp-demo", { topic: "tea" }),
    ],
  },
  ...(hasBuilder("go")
    ? [
      {
        name: "go-sdk everything",
        start: () => publishedGo("go_sdk_everything"),
        spoken: BOTH,
        requests: [
          call("greet", { name: "Ada" }),
          call("greet", { name: 5 }),
          prompt("greet", { name: "Ada" }),
        ],
      },
      {
        name: "mcp-go everything",
        start: () => publishedGo("mcp_go_everything"),
        spoken: BOTH,
        requests: [
          call("echo", { message: "ü" }),
          call("add", { a: 1, b: 2.5 }),
          call("getTinyImage"),
          read("test://static/resource"),
          prompt("simple_prompt"),
        ],
      },
    ]
    : []),
];

/**
 * Each list's entries, and the result or error of each request, as they were written. The gateway lists a server in one kind of
 * revisions. Servers that speak both may write the members of an entry in another order in the other kind: there the order of members
 * is left out.
 */
async function said(
  asker: RawAsker,
  requests: readonly Request[],
  spoken: readonly Spoken[],
): Promise<string[]> {
  const entryText = (text: string) => spoken.length === 1 ? text : sortedText(text);
  const lists = [
    ["tools/list", "tools"],
    ["resources/list", "resources"],
    ["resources/templates/list", "resourceTemplates"],
    ["prompts/list", "prompts"],
  ] as const;
  const answers: string[] = [];
  for (const [method, member] of lists) {
    let cursor: string | undefined;
    do {
      const result = memberText(await asker.ask(method, cursor === undefined ? {} : { cursor }), "result");
      const entries = result === undefined ? undefined : memberText(result, member);
      // A server without the list refuses it. The gateway has every list.
      answers.push(
        ...(entries === undefined ? [] : elementTexts(entries)).map((text) => `${method} ${entryText(text)}`),
      );
      cursor = result === undefined ? undefined : JSON.parse(result).nextCursor;
    } while (cursor !== undefined);
  }
  for (const [method, params] of requests) {
    const response = await asker.ask(method, params);
    const outcome = memberText(response, "result") ?? memberText(response, "error");
    answers.push(`${method} ${JSON.stringify(params)}: ${outcome}`);
  }
  return answers;
}

/** A JSON text with the members of its objects in the order of their names. The rest is as it was written. */
function sortedText(text: string): string {
  if (text.startsWith("[")) return `[${elementTexts(text).map(sortedText)}]`;
  if (!text.startsWith("{")) return text;
  const members = [...memberTexts(text)].toSorted(([one], [other]) => one < other ? -1 : 1);
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${sortedText(value)}`)}}`;
}

/** Empties a server's folder, and puts into it what the servers read. */
async function renew(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder);
  await Deno.writeTextFile(`${folder}/text.txt`, "a\r\nb\n");
  await Deno.writeFile(`${folder}/image.png`, new Uint8Array(100_000).map((_, i) => i));
  await new Deno.Command("git", { args: ["init", "--quiet", "-b", "main", folder] }).output();
}

async function compare(sluice: Sluice, server: PublishedServer, t: Deno.TestContext): Promise<void> {
  const { name, start, spoken, requests } = server;
  const folder = `${sluice.cwd}/${name.replaceAll(" ", "-")}`;
  await renew(folder);
  const launch = { transport: "STDIO", ...start(folder) };
  const { body: gateway } = await sluice.api("POST", "/gateways", { name, ...launch });
  await t.step(`${name}: the kinds of revisions that it speaks`, () => {
    const kinds = (gateway.protocols ?? []).map((each: string) =>
      each === "2026-07-28" ? each : "2025-11-25"
    );
    assertEquals([...new Set(kinds)].sort(), [...spoken], JSON.stringify(gateway));
  });
  const { body: shown } = await sluice.api("POST", "/servers", {
    server: { name, associated_gateways: [gateway.id], naming: "original" },
  });
  for (const revision of spoken) {
    await t.step(`${name}: the same in ${revision}`, async () => {
      const answers = async (asker: RawAsker) => {
        await using asked = asker;
        return await said(asked, requests, spoken);
      };
      await renew(folder);
      const expected = await answers(await askProcess(start(folder), revision));
      await renew(folder);
      const url = `${sluice.url}/servers/${shown.id}/mcp`;
      assertSame(await answers(await askHttp(url, revision, await sluice.token())), expected);
      assert(expected.length > requests.length, "it has lists");
    });
  }
}

/** Shows where each differs, since lists are long. */
function assertSame(actual: readonly string[], expected: readonly string[]): void {
  const differences = Array.from({ length: Math.max(actual.length, expected.length) }, (_, i) => {
    const [one = "", other = ""] = [actual[i], expected[i]];
    const at = Array.from(one).findIndex((_, j) => one[j] !== other[j]);
    const from = Math.max(0, at - 60);
    return one === other
      ? []
      : [one, other].map((text) => `${text.slice(0, 80)} … ${text.slice(from, from + 200)}`);
  });
  assertEquals(differences.filter((pair) => pair.length > 0), []);
}

Deno.test("Published servers over stdio say the same through the gateway as directly, in both kinds of revisions", async (t) => {
  await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true" } });
  for (const server of SERVERS) await compare(sluice, server, t);
});

Deno.test("A FastMCP server that is mounted below a path says the same through the gateway as directly", async (t) => {
  const port = freePort();
  const { command, args, env } = pythonScript(2, "fastmcp_server.py", String(port));
  const child = new Deno.Command(command, { args: [...args], env, stdout: "null", stderr: "null" })
    .spawn();
  try {
    await waitFor(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/mcp/`).catch(() => null);
      await response?.body?.cancel();
      return response !== null;
    }, { what: "the server" });
    await using sluice = await Sluice.start();
    const gateway = await sluice.registerUpstream("mounted", `http://127.0.0.1:${port}/mcp`);
    const { body: shown } = await sluice.api("POST", "/servers", {
      server: { name: "mounted", associated_gateways: [gateway.id], naming: "original" },
    });
    const requests = [
      call("add", { a: 1 }),
      call("add", { a: "x" }),
      call("fail"),
      read("config://settings"),
      read("files://a/b/c.txt"),
      prompt("review", { code: "a\nb" }),
    ];
    for (const revision of BOTH) {
      await t.step(revision, async () => {
        await using direct = await askHttp(`http://127.0.0.1:${port}/mcp/`, revision);
        await using through = await askHttp(
          `${sluice.url}/servers/${shown.id}/mcp`,
          revision,
          await sluice.token(),
        );
        assertSame(await said(through, requests, BOTH), await said(direct, requests, BOTH));
      });
    }
  } finally {
    await endChild(child, "SIGKILL");
  }
});
