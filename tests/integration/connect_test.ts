// `sluice connect`: what it prints and writes works in the clients that can be had.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FROM_SOURCE, runCli, shellWords, Terminal } from "../support/cli.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { endChild } from "../support/end_child.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { Sluice } from "../support/sluice.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Asks a server on standard input and output for its tools, as a desktop client does. */
async function toolsOver(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<string[]> {
  const child = new Deno.Command(command, {
    args: [...args],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  const say = (message: unknown) => writer.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  const clientInfo = { name: "test", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  await say({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  let text = "";
  try {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const messages = text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
      if (messages.some(({ id }) => id === 2)) {
        return messages.find(({ id }) => id === 2).result.tools.map(({ name }: { name: string }) => name);
      }
      if (messages.length === 1) {
        await say({ jsonrpc: "2.0", method: "notifications/initialized" });
        await say({ jsonrpc: "2.0", id: 2, method: "tools/list" });
      }
    }
    throw new Error(`It ended after: ${text}`);
  } finally {
    await endChild(child, "SIGKILL");
  }
}

Deno.test("`sluice connect` prints what the Inspector, mcp-remote, a desktop client and the TypeScript SDK take as it is", async () => {
  await using sluice = await Sluice.start({ env: { JWT_SECRET_KEY: "" } });
  await using counter = CounterUpstream.start();
  const { cwd } = sluice;
  const admin = (await runCli(["token", "--admin"], { cwd })).out.trim();
  for (const name of ["a", "b"]) {
    const body = { name, url: counter.url, tags: [name], auth_type: "bearer", auth_token: name };
    const { status } = await sluice.api("POST", "/gateways", body, admin);
    assertEquals(status, 200);
  }
  const { body: tools } = await sluice.api("GET", "/tools", undefined, admin);
  const own = tools.filter(({ name }: { name: string }) => name.startsWith("a-"));
  const server = { id: "one", name: "one", associated_tools: own.map(({ id }: { id: string }) => id) };
  assertEquals((await sluice.api("POST", "/servers", { server }, admin)).status, 201);
  const names = own.map(({ name }: { name: string }) => name).sort();
  const env = { PORT: String(sluice.port), USER: "ann" };
  const connect = async (...args: string[]) => {
    const { code, out, err } = await runCli(["connect", ...args], { cwd, env });
    assertEquals([code, err], [0, ""]);
    return out;
  };

  const { mcp_remote, desktop } = {
    mcp_remote: JSON.parse(await connect("mcp-remote", "--server", "one")).mcpServers.one,
    desktop: JSON.parse(await connect("claude-desktop", "--server", "one")).mcpServers.one,
  };
  const home = { HOME: cwd, MCP_REMOTE_CONFIG_DIR: `${cwd}/remote` };
  const { command, args } = npmProgram("mcp-remote", ...mcp_remote.args.slice(2));
  assertEquals((await toolsOver(command, args, { ...home, ...mcp_remote.env })).sort(), names);
  assertEquals((await toolsOver(desktop.command, desktop.args, desktop.env)).sort(), names);

  const inspector = npmProgram("mcp-inspector");
  const script = (await connect("inspector", "--server", "one"))
    .replace("npx -y @modelcontextprotocol/inspector@2", shellWords(inspector.command, ...inspector.args));
  const shell = await new Deno.Command("sh", { args: ["-c", script], env: home }).output();
  const listed = JSON.parse(new TextDecoder().decode(shell.stdout));
  assertEquals(listed.tools.map(({ name }: { name: string }) => name).sort(), names);

  const curl = ["-c", await connect("curl", "--server", "one")];
  const { result } = JSON.parse(
    new TextDecoder().decode((await new Deno.Command("sh", { args: curl }).output()).stdout),
  );
  assertEquals(result.tools.map(({ name }: { name: string }) => name).sort(), names);

  await Deno.writeTextFile(`${cwd}/client.ts`, await connect("typescript", "--server", "one"));
  const flags = ["run", "--quiet", "-A", "--config", `${ROOT}deno.json`, `${cwd}/client.ts`];
  const program = await new Deno.Command(Deno.execPath(), { args: flags, stderr: "inherit" }).output();
  assertEquals(new TextDecoder().decode(program.stdout).trim().split("\n").sort(), names);
  assertStringIncludes(await connect("python"), `URL = "${sluice.url}/mcp"`);

  // A client that logs in gets no token, as soon as there is somebody who can log in.
  const toLogIn = (name: string, ...more: string[]) =>
    runCli(["connect", name, "--login", ...more], { cwd, env });
  const early = await toLogIn("vscode");
  assertEquals(JSON.parse(early.out).servers.sluice, { type: "http", url: `${sluice.url}/mcp` });
  assertStringIncludes(early.err, "no client can log in");
  const user = { email: "ann@x.org", password: "A-long-Password-7", is_admin: false };
  assertEquals((await sluice.api("POST", "/auth/email/admin/users", user, admin)).status, 201);
  const late = await toLogIn("mcp-remote", "--server", "one");
  assertEquals([late.code, late.err, late.out.includes("SLUICE_AUTHORIZATION")], [0, "", false]);
  assertStringIncludes((await toLogIn("claude-desktop")).err, "does not log in with a browser");
  assertStringIncludes((await toLogIn("cursor", "--token-file", "x")).err, "exclude each other");

  // The token opens this server alone, belongs to the user, and is no administrator's.
  const token = desktop.env.SLUICE_TOKEN;
  assertEquals((await sluice.api("GET", "/tools", undefined, token)).status, 403);
  const claims = JSON.parse(
    new TextDecoder().decode(Uint8Array.fromBase64(token.split(".")[1], { alphabet: "base64url" })),
  );
  assertEquals([claims.sub, claims.is_admin, claims.exp - claims.iat], ["ann@localhost", false, 30 * 86_400]);
});

Deno.test("`sluice connect --write` adds to the client's file, and says in one sentence what it cannot do", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1", JWT_SECRET_KEY: "" } });
  const { cwd } = sluice;
  const env = { PORT: String(sluice.port) };
  await Deno.writeTextFile(`${cwd}/mcp.json`, '{\n  // mine\n  "servers": {}\n}\n');
  const written = await runCli(["connect", "vscode", "--write", "--file", "mcp.json"], { cwd, env });
  assertEquals(written.code, 0, written.err);
  assertMatch(
    written.out,
    /^Wrote "sluice" into .*\/mcp\.json\.\nThe file as it was: .*\/mcp\.json\.before-sluice-\d{14}\n$/,
  );
  assertMatch(written.err, /^To revoke the token:\n {2}.* token revoke [\w-]+$/m);
  const text = await Deno.readTextFile(`${cwd}/mcp.json`);
  assertStringIncludes(text, "// mine");
  const token = /Bearer ([\w.-]+)/.exec(text)![1]!;
  assertEquals([written.out.includes(token), written.err.includes(token)], [false, false]);
  assertEquals((await sluice.api("GET", "/tools", undefined, token)).status, 200);

  const list = await runCli(["connect"], { cwd, env });
  assertMatch(list.out, /^ +claude-desktop +Claude Desktop: ~\/.*claude_desktop_config\.json$/m);
  for (const line of list.out.split("\n").slice(1, -3)) assert(line.length <= 80, line);
  await Deno.writeTextFile(`${cwd}/bad.json`, '{"servers": ');
  const gone = await Deno.makeTempDir({ prefix: "sluice_connect_" });
  const cases: [args: string[], cwd: string, code: number, words: RegExp][] = [
    [["cursr"], cwd, 2, /unknown client "cursr"; did you mean cursor\?$/m],
    [
      ["python", "--write"],
      cwd,
      2,
      /python has no file to write; copy what `sluice connect python` prints$/m,
    ],
    [["cursor", "--server", "nope"], cwd, 2, /--server: there is no virtual server with the id "nope"/],
    [["cursor", "--url", "h:1"], cwd, 2, /--url must be an http:\/\/ or https:\/\/ address/],
    [
      ["vscode", "--write", "--file", "bad.json"],
      cwd,
      1,
      /Cannot use .*bad\.json: line 1, column 13: .* The file is unchanged$/m,
    ],
    [["cursor"], gone, 1, /run this command in the gateway's folder/],
    [["cursor", "--token-file", "none"], cwd, 2, /--token-file none cannot be read/],
  ];
  for (const [args, folder, code, words] of cases) {
    const done = await runCli(["connect", ...args], { cwd: folder, env });
    assertEquals([done.code, done.out], [code, ""], done.err);
    assertMatch(done.err, words);
  }
  await Deno.remove(gone, { recursive: true });
  const alone = await runCli(["connect", "cursor", "--url", "http://127.0.0.1:1"], { cwd, env });
  assertEquals(alone.code, 0);
  assertEquals(alone.err, "sluice: no gateway answers at http://127.0.0.1:1 now\n");

  await using terminal = new Terminal(shellWords(...FROM_SOURCE, "connect", "cursor"), { cwd, env });
  assertEquals(await terminal.ended(), 0);
  assertMatch(terminal.text, /Put it into .*mcp\.json, or let this/);
});
