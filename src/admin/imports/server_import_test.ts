import { assertEquals } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { SeenAnswer } from "../../base/seen_answer.ts";
import { ALICE, type Answer, withAdminApi } from "../../../tests/support/admin_api.ts";
import { discovery } from "../../../tests/support/registry_rows.ts";
import type { ImportResult } from "./server_import.ts";

const FILE = `// Claude's
{
  "mcpServers": {
    "files": { "command": "npx", "args": ["-y", "files", "/srv"], "env": { "KEY": "secret-1" }, "autoApprove": ["x"] },
    "notes": { "url": "https://notes.example/mcp", "headers": { "Authorization": "Bearer secret-2", "Accept": "text/plain" } },
    "old": { "command": "old-server", "disabled": true },
  },
}`;

function outcomes({ status, body }: Answer): string[] {
  assertEquals(status, 200, JSON.stringify(body));
  return body.servers.map(({ name, outcome }: ImportResult) => `${name} ${outcome}`);
}

Deno.test("POST /import/mcp-servers registers what a file names, once, and what is disabled without a try", () =>
  withAdminApi(async ({ call, discovered, upstreams }) => {
    upstreams.set("https://notes.example/mcp", discovery({ tools: ["a", "b"] }));
    const first = await call("POST", "/import/mcp-servers", { body: FILE });
    assertEquals(outcomes(first), ["files taken", "notes taken", "old taken"]);
    const [files, notes, old] = first.body.servers;
    assertEquals([files.unread, files.toolCount, notes.toolCount], [["autoApprove"], 0, 2]);
    assertEquals(notes.warnings, ["Accept is set by the gateway itself, and was ignored"]);
    assertEquals([old.isDisabled, old.toolCount], [true, null]);
    assertEquals(
      // They are tried side by side.
      discovered.map(({ name, headers, env, isTransportOpen }) => ({ name, headers, env, isTransportOpen }))
        .sort((a, b) => a.name < b.name ? -1 : 1),
      [
        { name: "files", headers: [], env: { KEY: "secret-1" }, isTransportOpen: false },
        { name: "notes", headers: [["authorization", "Bearer secret-2"]], env: {}, isTransportOpen: true },
      ],
    );

    const { body: gateways } = await call("GET", "/gateways?include_inactive=true");
    assertEquals(
      gateways.map((
        { name, enabled, status, source }: Record<string, unknown>,
      ) => [name, enabled, status, source]).sort(),
      [
        ["files", true, "ready", "import:"],
        ["notes", true, "ready", "import:"],
        ["old", false, "disabled", "import:"],
      ],
    );
    for (const secret of ["secret-1", "secret-2"]) {
      assertEquals(JSON.stringify([first.body, gateways]).includes(secret), false);
    }

    const again = await call("POST", "/import/mcp-servers", { body: FILE });
    assertEquals(outcomes(again), ["files unchanged", "notes unchanged", "old unchanged"]);
    assertEquals(discovered.length, 2);
  }));

Deno.test("POST /import/mcp-servers changes what it registered itself, and leaves alone what others registered", () =>
  withAdminApi(async ({ call, upstreams, store }) => {
    await call("POST", "/gateways", { body: { name: "Notes", url: "https://mine.example/mcp" } });
    await call("POST", "/import/mcp-servers", { body: FILE });
    const changed = FILE.replace("/srv", "/home").replace('"disabled": true', '"disabled": false');
    const second = await call("POST", "/import/mcp-servers", { body: changed });
    assertEquals(outcomes(second), ["files changed", "notes left_out", "old changed"]);
    assertEquals(
      second.body.servers[1].reason,
      'another server named "Notes" was registered otherwise; rename the entry, or delete that gateway',
    );
    const rows = new Map((await store.gateways.list()).map((row) => [row.name, row]));
    assertEquals(rows.get("files")!.url, "stdio:npx?arg=-y&arg=files&arg=%2Fhome");
    assertEquals([rows.get("old")!.enabled, rows.get("old")!.registration], [true, null]);

    const fromElsewhere = JSON.stringify({
      ...{ source: "/b.json" },
      mcpServers: { files: { command: "other" } },
    });
    assertEquals(outcomes(await call("POST", "/import/mcp-servers", { body: fromElsewhere })), [
      "files left_out",
    ]);

    upstreams.set(
      "stdio:npx?arg=-y&arg=files&arg=%2Fgone",
      new SluiceError("UPSTREAM_CLOSED", { upstream: "files" }),
    );
    const failing = await call("POST", "/import/mcp-servers", { body: changed.replace("/home", "/gone") });
    assertEquals(outcomes(failing)[0], "files failed");
    assertEquals(
      (await store.gateways.get(rows.get("files")!.id))!.url,
      "stdio:npx?arg=-y&arg=files&arg=%2Fhome",
    );
  }));

Deno.test("POST /import/mcp-servers names variables without a value, and registers nothing that has one", () =>
  withAdminApi(async ({ call, discovered, store }) => {
    const file = {
      inputs: [{ id: "region", type: "promptString", default: "eu" }],
      servers: {
        a: {
          command: "a",
          env: { KEY: "\${input:key}", REGION: "\${input:region}", OWN: "\${env:ALLOWED}" },
        },
        b: { command: "b", args: ["\${workspaceFolder}", "\${HOME}"] },
        c: { command: "c", args: ["\${PORT:-80}", "\${input:region}"] },
      },
    };
    const first = await call("POST", "/import/mcp-servers", { body: file });
    assertEquals(outcomes(first), ["a left_out", "b left_out", "c taken"]);
    const [a, b, c] = first.body.servers;
    assertEquals(c.warnings, ["the value of region is an argument, so administrators and `ps` show it"]);
    assertEquals([a.missing, a.reason], [["key"], "the variable key has no value"]);
    assertEquals(b.reason, "the variables workspaceFolder, HOME have no value");
    const values = { key: "\${region:-x}", workspaceFolder: "/w", HOME: "/h" };
    await call("POST", "/import/mcp-servers", { body: { ...file, values } });
    assertEquals(discovered.map(({ name, env }) => [name, env]).sort(), [
      ["a", { KEY: "\${region:-x}", REGION: "eu", OWN: "from-the-environment" }],
      ["b", {}],
      ["c", {}],
    ]);
    assertEquals((await store.gateways.list())[1]!.url, "stdio:b?arg=%2Fw&arg=%2Fh");
  }));

Deno.test("POST /import/mcp-servers takes references to secrets as credentials, and says what they need", () =>
  withAdminApi(async ({ call }) => {
    const servers = {
      a: { url: "https://a.example/mcp", headers: { Authorization: "Bearer \${file:crm}" } },
      b: { url: "https://b.example/\${file:crm}" },
    };
    const { body } = await call("POST", "/import/mcp-servers", { body: { servers } });
    assertEquals(body.servers.map(({ reason }: ImportResult) => reason), [
      "body: a reference by \${file:…} needs the setting SECRETS_DIRECTORY",
      "the variable file:crm has no value",
    ]);
  }));

Deno.test("POST /import/mcp-servers says what it would do, and does nothing, in a dry run", () =>
  withAdminApi(async ({ call, discovered, store, deniedHosts }) => {
    deniedHosts.add("notes.example");
    const { status, body } = await call("POST", "/import/mcp-servers?dry_run=true", { body: FILE });
    assertEquals([status, body.dryRun], [200, true]);
    assertEquals(body.servers.map(({ outcome, reason }: ImportResult) => [outcome, reason]), [
      ["taken", null],
      ["left_out", "notes.example is denied"],
      ["taken", null],
    ]);
    assertEquals([discovered.length, (await store.gateways.list()).length], [0, 0]);
  }));

Deno.test("POST /import/mcp-servers keeps one failure from the others, and names each fault in the words of the file", () =>
  withAdminApi(async ({ call, upstreams, store }) => {
    upstreams.set(
      "stdio:broken",
      new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "broken", reason: "none" }, {
        cause: new SeenAnswer("no licence", "stderr"),
      }),
    );
    const { body } = await call("POST", "/import/mcp-servers", {
      body: {
        mcpServers: {
          broken: { command: "broken" },
          "My Files": { command: "x" },
          "my-files": { command: "y" },
          relative: { command: "x", args: ["1"], cwd: "here" },
          text: "npx",
        },
      },
    });
    assertEquals(body.servers.map(({ outcome, reason }: ImportResult) => [outcome, reason]), [
      ["failed", 'Cannot connect to upstream "broken": none; the end of its stderr: no licence'],
      ["taken", null],
      ["left_out", 'its name and "My Files" are the same here (names are compared as "my-files")'],
      ["left_out", "cwd: must be an absolute path"],
      ["left_out", "the entry is not an object"],
    ]);
    assertEquals((await store.gateways.list()).map(({ name }) => name), ["My Files"]);
  }));

Deno.test("POST /import/mcp-servers refuses what is no such file with the place of the mistake, and takes an administrator", () =>
  withAdminApi(async ({ call }) => {
    const wrong = await call("POST", "/import/mcp-servers", {
      body: '{\n  "mcpServers": {\n    "a" {}\n  }\n}',
    });
    assertEquals([wrong.status, wrong.body.detail], [
      422,
      'Cannot read the configuration: line 3, column 9: a ":" is missing',
    ]);
    assertEquals((await call("POST", "/import/mcp-servers", { body: FILE, as: ALICE })).status, 403);
  }));

Deno.test("POST /gateways?wait=false stores the gateway at once, and switching it on again starts anew", () =>
  withAdminApi(async ({ call, discovered, upstreams, store }) => {
    upstreams.set("http://slow.example/mcp", new SluiceError("UPSTREAM_CLOSED", { upstream: "slow" }));
    const { body } = await call("POST", "/gateways?wait=false", {
      body: { name: "slow", url: "http://slow.example/mcp" },
    });
    assertEquals([body.status, body.reachable, discovered.length], ["starting", false, 0]);
    const row = (await store.gateways.get(body.id))!;
    await store.saveHealth(row, {
      lastError: "no",
      registration: { tries: 12, nextTryAt: null, isTransportOpen: true },
    });
    const failed = await call("GET", `/gateways/${body.id}`);
    assertEquals([failed.body.status, failed.body.lastError, failed.body.nextTryAt], ["failed", "no", null]);
    const on = await call("POST", `/gateways/${body.id}/state?activate=true`);
    assertEquals([on.body.gateway.status, typeof on.body.gateway.next_try_at], ["starting", "string"]);
    upstreams.set("http://slow.example/mcp", {
      ...discovery({ tools: ["t"], prompts: ["p"] }),
      transport: "SSE",
    });
    await call("POST", `/gateways/${body.id}/tools/refresh`);
    const ready = await call("GET", `/gateways/${body.id}`);
    assertEquals([ready.body.status, ready.body.transport], ["ready", "SSE"]);
    assertEquals([ready.body.toolCount, ready.body.promptCount], [1, 1]);
  }));

Deno.test("POST /gateways understands the words of configuration files, and expands the variables that it may", () =>
  withAdminApi(async ({ call, discovered }) => {
    const { body } = await call("POST", "/gateways", {
      body: {
        name: "x",
        type: "streamable-http",
        url: "http://x.example/mcp",
        headers: { "X-Key": "\${ALLOWED}", "X-Other": "\${OTHER}" },
      },
    });
    assertEquals([body.transport, body.authType], ["STREAMABLEHTTP", "authheaders"]);
    assertEquals(discovered[0]!.headers, [["x-key", "from-the-environment"], ["x-other", "\${OTHER}"]]);
    assertEquals(
      body.warnings.map(({ loc, type }: { loc: unknown[]; type: string }) => [loc.join("."), type]),
      [
        ["body.auth_headers.1.value", "not_expanded"],
      ],
    );
    for (const [type, transport] of [["sse", "SSE"], ["http", "STREAMABLEHTTP"]]) {
      const url = `http://${type}.example/mcp`;
      const { body } = await call("POST", "/gateways", { body: { name: type, transport: type, url } });
      assertEquals([body.transport, body.warnings], [transport, undefined]);
    }
  }));

Deno.test("a dry run leaves out what a registration would refuse: an address that another gateway has", () =>
  withAdminApi(async ({ call, upstreams }) => {
    const url = "https://notes.example/mcp";
    upstreams.set(url, discovery({ tools: ["a"] }));
    assertEquals((await call("POST", "/gateways", { body: { name: "known", url } })).status, 200);
    const answers = [];
    for (const query of ["?dry_run=true", ""]) {
      const body = { mcpServers: { notes: { url } } };
      answers.push((await call("POST", `/import/mcp-servers${query}`, { body })).body.servers);
    }
    assertEquals(answers[0], answers[1]);
    assertEquals(answers[0][0].outcome, "left_out");
    assertEquals(answers[0][0].reason, 'Gateway "known" has this URL and these credentials already');
  }));
