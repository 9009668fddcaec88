import { assertEquals } from "@std/assert";
import { parseJsonc } from "./jsonc.ts";
import { isFaulty, readServerList } from "./server_entries.ts";
import { type Client, clientOf, CLIENTS, wholeDocument } from "./clients.ts";
import type { Connection } from "./connection.ts";

const CONNECTION: Connection = {
  ...{ name: "clock", url: "http://h:4444/servers/clock/mcp", gatewayUrl: "http://h:4444", server: "clock" },
  ...{ token: "T", program: ["/bin/sluice"] },
};
const LINUX = { os: "linux", home: "/home/me", appData: "" } as const;

Deno.test("every client is found by its name and by the other words for it, in any case", () => {
  assertEquals(["Cursor", "claude", "code", "gemini", "ts", "py", "nope"].map(clientOf), [
    ...["cursor", "claude-code", "vscode", "gemini-cli", "typescript", "python", null],
  ]);
});

Deno.test("each client's entry has the members that this client reads", () => {
  const headers = { Authorization: "Bearer T" };
  const { url } = CONNECTION;
  const expected: Record<string, unknown> = {
    "claude-code": { mcpServers: { clock: { type: "http", url, headers } } },
    "claude-desktop": {
      mcpServers: {
        clock: {
          command: "/bin/sluice",
          args: ["stdio", "--url", "http://h:4444", "--server", "clock"],
          env: { SLUICE_TOKEN: "T" },
        },
      },
    },
    "vscode": { servers: { clock: { type: "http", url, headers } } },
    "cursor": { mcpServers: { clock: { url, headers } } },
    "windsurf": { mcpServers: { clock: { serverUrl: url, headers } } },
    "codex": { mcp_servers: { clock: { url, http_headers: headers } } },
    "gemini-cli": { mcpServers: { clock: { httpUrl: url, headers } } },
    "opencode": { mcp: { servers: { clock: { type: "remote", url, headers } } } },
  };
  for (const [name, client] of Object.entries<Client>(CLIENTS)) {
    if (client.format === "text") continue;
    const document = wholeDocument(client, CONNECTION);
    assertEquals<unknown>(document, expected[name], name);
    assertEquals(
      JSON.stringify(wholeDocument(client, { ...CONNECTION, token: null })).includes("Bearer"),
      false,
    );
    // What one command writes the other one reads.
    if (client.format === "json") assertEquals(readServerList(document).entries.map(isFaulty), [false], name);
  }
});

Deno.test("opencode 1 keeps its servers one level higher", () => {
  const v1 = parseJsonc('{"mcp": {"files": {"type": "local", "command": ["x"]}}}');
  assertEquals(CLIENTS.opencode.path(CONNECTION, v1), ["mcp", "clock"]);
  assertEquals(CLIENTS.opencode.path(CONNECTION, parseJsonc('{"mcp": {}}')), ["mcp", "servers", "clock"]);
});

Deno.test("files are where each system keeps them", () => {
  const desktop = CLIENTS["claude-desktop"].file;
  assertEquals(desktop(LINUX), "/home/me/.config/Claude/claude_desktop_config.json");
  assertEquals(
    desktop({ ...LINUX, os: "darwin" }),
    "/home/me/Library/Application Support/Claude/claude_desktop_config.json",
  );
  assertEquals(CLIENTS.vscode.file({ os: "windows", home: "", appData: "C:/a" }), "C:/a/Code/User/mcp.json");
});

Deno.test("mcp-remote may use plain HTTP beyond this machine only when told to", () => {
  const argsOf = (url: string) =>
    JSON.parse(CLIENTS["mcp-remote"].text({ ...CONNECTION, url })).mcpServers.clock.args as string[];
  assertEquals(argsOf("http://gateway/mcp").includes("--allow-http"), true);
  for (const url of ["http://127.0.0.1:4444/mcp", "https://gateway/mcp"]) {
    assertEquals(argsOf(url).includes("--allow-http"), false);
  }
});
