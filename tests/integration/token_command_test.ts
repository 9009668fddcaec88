// `sluice token` and `sluice token revoke`, as a shell meets them: beside a running gateway, and in a wrong folder.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FROM_SOURCE, runCli, shellWords, Terminal } from "../support/cli.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const CALLER = ["--username", "ann@example.com"];

/** A gateway that keeps its own secrets, with one public virtual server and one of team t1. */
async function startGateway(): Promise<Sluice> {
  const sluice = await Sluice.start({
    env: { JWT_SECRET_KEY: "", WORKERS: "1", POLL_INTERVAL: "0.1", MAX_INTERVAL: "0.2" },
  });
  const admin = await mint(sluice, "--admin");
  for (const [id, more] of [["clock", {}], ["inner", { visibility: "team", team_id: "t1" }]] as const) {
    const { status } = await sluice.api(
      "POST",
      "/servers",
      { server: { id, name: `The ${id}` }, ...more },
      admin,
    );
    assertEquals(status, 201);
  }
  return sluice;
}

async function mint({ cwd }: Sluice, ...flags: string[]): Promise<string> {
  const { code, out, err } = await runCli(["token", ...flags], { cwd });
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return out.trim();
}

Deno.test("`sluice token` mints what the gateway honours: servers, permissions, teams", async () => {
  await using sluice = await startGateway();
  const status = async (token: string, method: string, path: string, body?: unknown) =>
    (await sluice.api(method, path, body, token)).status;
  const list = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
  const kinds: [flags: string[], statuses: Record<string, number>][] = [
    [["--admin"], { "/servers/clock": 200, "/servers/inner": 200, "/metrics": 200, "/tools": 200 }],
    [CALLER, { "/servers/clock": 200, "/servers/inner": 404, "/metrics": 403, "/tools": 200 }],
    [
      [...CALLER, "--teams", "t1,t2"],
      { "/servers/clock": 200, "/servers/inner": 200, "/metrics": 403, "/tools": 200 },
    ],
    [
      [...CALLER, "--server", "clock", "--name", "Ann"],
      { "/servers/clock": 200, "/servers/inner": 403, "/metrics": 403, "/tools": 403 },
    ],
    [
      [...CALLER, "--permissions", "tools.read,tools.execute"],
      { "/servers/clock": 403, "/servers/inner": 403, "/metrics": 403, "/tools": 200 },
    ],
    [
      ["--admin", "--permissions", "admin.metrics"],
      { "/servers/clock": 403, "/servers/inner": 403, "/metrics": 200, "/tools": 403 },
    ],
  ];
  for (const [flags, expected] of kinds) {
    const token = await mint(sluice, ...flags);
    const statuses = await Promise.all(
      Object.keys(expected).map(async (path) => [path, await status(token, "GET", path)]),
    );
    assertEquals([flags, Object.fromEntries(statuses)], [flags, expected]);
  }
  const limited = await mint(sluice, ...CALLER, "--server", "clock", "--permissions", "tools.read");
  assertEquals(await status(limited, "POST", "/rpc", list), 200);

  for (
    const [flags, words] of [
      [["--permissions", "tool.read,tools.read"], 'unknown permission "tool.read"; did you mean tools.read?'],
      [[...CALLER, "--permissions", "tools.create"], "tools.create is for administrators; add --admin"],
      [[...CALLER, "--teams", "null"], "--teams null is for administrators"],
      [["--server", "clok"], 'no virtual server with the id "clok"; did you mean clock?'],
      [[...CALLER, "--server", "inner"], "add --teams t1"],
      [["--exp", "0"], "this gateway refuses tokens without expiry"],
    ] as const
  ) {
    const { code, out, err } = await runCli(["token", ...flags], sluice);
    assertEquals([code, out], [2, ""], err);
    assertStringIncludes(err, words);
  }
});

Deno.test("`sluice token revoke` revokes a whole token or a jti, and nothing else", async () => {
  await using sluice = await startGateway();
  const token = await mint(sluice, "--admin");
  const isAccepted = async () => (await sluice.api("GET", "/tools", undefined, token)).status === 200;
  const wrong = [
    token.slice(0, -1),
    token.slice(0, -30),
    token.slice(0, token.lastIndexOf(".")),
    token.slice(0, 40),
    token.slice(2),
    `${token.slice(0, 60)}X${token.slice(61)}`,
    "a jti in\ntwo lines",
    "x".repeat(256),
  ];
  for (const operand of wrong) {
    const { code, out, err } = await runCli(["token", "revoke", operand], sluice);
    assertEquals([code, out], [2, ""], operand);
    assertStringIncludes(err, "nothing is revoked");
  }
  assertEquals((await runCli(["token", "revoke", "-"], { ...sluice, input: "" })).code, 2);
  assert(await isAccepted());
  const { code, out, err } = await runCli(["token", "revoke", "-"], {
    cwd: sluice.cwd,
    input: `Bearer ${token}\n`,
  });
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^revoked [0-9a-f-]{36}\n$/);
  await waitFor(async () => !await isAccepted(), { what: "the token to be refused" });
});

Deno.test("`sluice token` and `token revoke` refuse to work where no gateway is, and leave nothing there", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_wrong_folder_" });
  const left = () => Array.from(Deno.readDirSync(cwd), ({ name }) => name);
  const jti = crypto.randomUUID();
  const rows: [args: string[], code: number, words: string[]][] = [
    [["token", "--admin"], 1, [`${cwd}/mcp.db.secrets`, "DATABASE_URL", "JWT_SECRET_KEY"]],
    [["token", "revoke", jti], 1, [`${cwd}/mcp.db`, "DATABASE_URL"]],
    [["token", "revoke", "eyJhbGciOiJIUzI1NiJ9.e30.x"], 1, [`${cwd}/mcp.db.secrets`, "DATABASE_URL"]],
  ];
  for (const [args, expected, words] of rows) {
    const { code, out, err } = await runCli(args, { cwd });
    assertEquals([code, out, left()], [expected, "", []], err);
    for (const word of words) assertStringIncludes(err, word);
  }
  const env = { DATABASE_URL: "postgresql://u:hush@127.0.0.1:1/mcp" };
  const { code, err } = await runCli(["token"], { cwd, env });
  assertEquals([code, err.includes("hush")], [2, false]);
  assertStringIncludes(err, "Set JWT_SECRET_KEY as the gateway has it");

  // An empty database is no gateway's.
  await Deno.writeTextFile(`${cwd}/mcp.db`, "");
  const empty = await runCli(["token", "revoke", jti], { cwd });
  assertEquals(empty.code, 1);
  assertStringIncludes(empty.err, "no gateway has used it");
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("`sluice token` tells a terminal what the token is good for, and keeps standard output bare", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_terminal_" });
  const env = { JWT_SECRET_KEY: "a-secret-of-more-than-thirty-two-bytes" };
  const command = (...args: string[]) => `${shellWords(...FROM_SOURCE, "token", ...args)} > token`;
  {
    await using terminal = new Terminal(command(...CALLER, "--permissions", "tools.read"), { cwd, env });
    assertEquals(await terminal.ended(), 0);
    const words = terminal.text.replaceAll(/\s+/g, " ");
    for (
      const sentence of [
        /Token for ann@example\.com, valid until \d{4}-\d\d-\d\dT[\d:.]+Z \(1 hour\)\./,
        /The token opens public entries; only the permissions tools\.read\./,
        /The signing key is from JWT_SECRET_KEY \(environment\)\./,
        /To revoke the token: \S.* token revoke [0-9a-f-]{36}/,
      ]
    ) assertMatch(words, sentence);
    for (const line of terminal.text.split("\n")) {
      assert(line.length <= 80 || line.includes(" token revoke "), line);
    }
    assertMatch(await Deno.readTextFile(`${cwd}/token`), /^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
  }
  await Deno.remove(cwd, { recursive: true });
});
