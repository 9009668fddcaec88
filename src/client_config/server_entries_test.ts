import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import {
  entryReferences,
  expandEntry,
  isFaulty,
  readServerList,
  type ServerEntry,
} from "./server_entries.ts";

const NOTHING = {
  command: null,
  args: [],
  env: {},
  cwd: null,
  url: null,
  headers: {},
  isDisabled: false,
  unread: [],
};

function entryOf(value: unknown): ServerEntry {
  const [entry] = readServerList({ mcpServers: { it: value } }).entries;
  if (isFaulty(entry!)) throw new Error(entry.fault);
  return entry!;
}

Deno.test("entries of the usual clients are read alike", () => {
  const process = { ...NOTHING, name: "it", transport: "STDIO", command: "npx", args: ["-y", "pkg"] };
  const remote = { ...NOTHING, name: "it", url: "https://h/mcp", headers: { Authorization: "Bearer x" } };
  for (
    const [client, value, expected] of [
      ["Claude Desktop", { command: "npx", args: ["-y", "pkg"] }, process],
      [
        "Cline",
        {
          command: "npx",
          args: ["-y", "pkg"],
          env: { A: "1" },
          disabled: true,
          autoApprove: ["x"],
          timeout: 60,
        },
        { ...process, env: { A: "1" }, isDisabled: true, unread: ["autoApprove", "timeout"] },
      ],
      ["opencode", { type: "local", command: ["npx", "-y", "pkg"], environment: { A: 1 }, enabled: false }, {
        ...process,
        env: { A: "1" },
        isDisabled: true,
      }],
      ["VS Code", { type: "stdio", command: "npx", args: ["-y", "pkg"], cwd: "/srv" }, {
        ...process,
        cwd: "/srv",
      }],
      ["Cursor", { url: "https://h/mcp", headers: remote.headers }, { ...remote, transport: null }],
      ["Windsurf", { serverUrl: "https://h/mcp", headers: remote.headers }, { ...remote, transport: null }],
      ["Gemini CLI", { httpUrl: "https://h/mcp", headers: remote.headers }, {
        ...remote,
        transport: "STREAMABLEHTTP",
      }],
      ["Claude Code", { type: "http", url: "https://h/mcp", headers: remote.headers }, {
        ...remote,
        transport: "STREAMABLEHTTP",
      }],
      ["Cline over HTTP", { type: "streamableHttp", url: "https://h/mcp", headers: remote.headers }, {
        ...remote,
        transport: "STREAMABLEHTTP",
      }],
      ["SSE", { type: "sse", url: "https://h/mcp", headers: remote.headers }, {
        ...remote,
        transport: "SSE",
      }],
    ] as const
  ) {
    assertEquals<unknown>(entryOf(value), expected, client);
  }
});

Deno.test("an entry that is no server says why, and the others are read", () => {
  const { entries } = readServerList({
    servers: {
      good: { command: "x" },
      text: "npx",
      empty: {},
      both: { command: "x", url: "http://h" },
      odd: { type: "grpc", url: "http://h" },
      crossed: { type: "http", command: "x" },
      args: { command: "x", args: [{}] },
      env: { command: "x", env: { A: { b: 1 } } },
    },
  });
  assertEquals(entries.map((entry) => isFaulty(entry) ? entry.fault : null), [
    null,
    "the entry is not an object",
    'it has neither "command" nor "url"',
    'it has both "command" and "url"',
    'the type "grpc" is not known; use stdio, http or sse',
    'the type "http" does not go with "command"',
    '"args" has something else than texts',
    '"env.A" is not a text',
  ]);
});

Deno.test("a document without servers is refused with the names that are looked for", () => {
  for (
    const [value, reason] of [
      [[], "it is not a JSON object"],
      [{}, 'it has neither "mcpServers" nor "servers", where clients keep their servers'],
      [{ mcpServers: [] }, '"mcpServers" is not an object'],
    ] as const
  ) {
    assertEquals(assertThrows(() => readServerList(value), SluiceError).params.reason, reason);
  }
  assertEquals(readServerList({ mcp: { servers: { a: { command: "x" } } } }).entries.length, 1);
});

Deno.test("variables are replaced once, and those without a value are named", () => {
  const entry = entryOf({
    command: "${env:BIN}",
    args: ["${workspaceFolder}/x", "$HOME", "${PORT:-80}", "${env:HOST:-}"],
    env: { KEY: "${input:key}", OTHER: "${OTHER}", KEY_AGAIN: "a-${input:key}" },
  });
  assertEquals(entryReferences(entry).map(({ kind, name }) => `${kind}:${name}`), [
    "env:BIN",
    "client:workspaceFolder",
    "env:PORT",
    "env:HOST",
    "input:key",
    "env:OTHER",
  ]);
  const values: Record<string, string> = { "env:BIN": "/bin/it", "input:key": "${OTHER}" };
  const { entry: expanded, missing } = expandEntry(entry, ({ kind, name }) => values[`${kind}:${name}`]);
  assertEquals(expanded.command, "/bin/it");
  assertEquals(expanded.args, ["${workspaceFolder}/x", "$HOME", "80", ""]);
  assertEquals(expanded.env, { KEY: "${OTHER}", OTHER: "${OTHER}", KEY_AGAIN: "a-${OTHER}" });
  assertEquals(missing.map(({ name }) => name), ["workspaceFolder", "OTHER"]);
  assertEquals(expandEntry(entry, () => "given").entry.args, ["given/x", "$HOME", "given", "given"]);
});

Deno.test("references to the operator's secrets stay in env and headers, and have no value elsewhere", () => {
  const entry = entryOf({
    command: "${file:bin}",
    env: { KEY: "a-${file:crm/token}", OTHER: "${secret:x}${OTHER:-y}" },
  });
  const known = entryReferences(entry).map(({ kind, name }) => `${kind} ${name}`);
  assertEquals(known, ["secret file:bin", "env OTHER"]);
  const { entry: expanded, missing } = expandEntry(entry, () => undefined);
  assertEquals(expanded.env, { KEY: "a-${file:crm/token}", OTHER: "${secret:x}y" });
  assertEquals(missing.map(({ name }) => name), ["file:bin"]);
});

Deno.test("defaults of inputs come from the file", () => {
  const inputs = [
    { id: "region", type: "promptString", default: "eu" },
    { id: "key", type: "promptString" },
    7,
  ];
  assertEquals(readServerList({ servers: {}, inputs }).defaults, { region: "eu" });
});
