import { assertEquals } from "@std/assert";
import { withAdminApi } from "../../../tests/support/admin_api.ts";

const faultsOf = (body: { detail: { loc: string[]; type: string }[] }) =>
  body.detail.map(({ loc, type }) => `${loc.join(".")} ${type}`).sort();

Deno.test("POST /gateways takes a URL of its transport's scheme, or a command", () =>
  withAdminApi(async ({ call, discovered }) => {
    const bodies = [
      { name: "a", url: "http://u/mcp" },
      { name: "b", url: "https://u/sse", transport: "sse" },
      { name: "c", url: "wss://u/ws", transport: "WebSocket" },
      { name: "d", command: "npx", args: ["-y", "time-mcp"], cwd: "/srv", transport: "stdio" },
    ];
    const answers = [];
    for (const body of bodies) answers.push((await call("POST", "/gateways", { body })).body);
    assertEquals(answers.map(({ transport, url }) => [transport, url]), [
      ["STREAMABLEHTTP", "http://u/mcp"],
      ["SSE", "https://u/sse"],
      ["WEBSOCKET", "wss://u/ws"],
      ["STDIO", "stdio:npx?arg=-y&arg=time-mcp&cwd=%2Fsrv"],
    ]);
    assertEquals(discovered.map(({ transport }) => transport), [
      "STREAMABLEHTTP",
      "SSE",
      "WEBSOCKET",
      "STDIO",
    ]);
    const { command, args, cwd, env } = answers[3];
    assertEquals({ command, args, cwd, env }, {
      command: "npx",
      args: ["-y", "time-mcp"],
      cwd: "/srv",
      env: {},
    });
    assertEquals("command" in answers[0], false);
    const again = await call("POST", "/gateways", { body: { ...bodies[3], name: "e" } });
    assertEquals(again.status, 409);
  }));

Deno.test("POST /gateways refuses what does not go with its transport, and says each", () =>
  withAdminApi(async ({ call, discovered }) => {
    const refused: [body: Record<string, unknown>, faults: string[]][] = [
      [{}, ["body.url missing"]],
      [{ url: "ws://u/" }, ["body.url value_error"]],
      [{ url: "http://u/", transport: "WEBSOCKET" }, ["body.url value_error"]],
      [{ url: "stdio:sh", transport: "SSE" }, ["body.url value_error"]],
      [{ url: "http://u/", command: "sh", args: [], env: {}, cwd: "/" }, [
        "body.args value_error",
        "body.command value_error",
        "body.cwd value_error",
        "body.env value_error",
      ]],
      [{ transport: "STDIO" }, ["body.command missing"]],
      [{ transport: "STDIO", command: "sh", url: "stdio:rm" }, ["body.url value_error"]],
      [{ transport: "STDIO", command: "sh", auth_type: "bearer", auth_token: "t" }, [
        "body.auth_token value_error",
        "body.auth_type value_error",
      ]],
      [{
        transport: "STDIO",
        command: "sh",
        passthrough_headers: ["x-a"],
        ca_certificate: "-----BEGIN CERTIFICATE-----",
      }, [
        "body.ca_certificate value_error",
        "body.passthrough_headers value_error",
      ]],
      [{ transport: "STDIO", command: "sh", env: { PATH: "/tmp", LD_PRELOAD: "x", OK: "*****" } }, [
        "body.env.LD_PRELOAD value_error",
        "body.env.OK value_error",
      ]],
      [{ transport: "STDIO", command: "", args: ["a\0b"], cwd: "x" }, [
        "body.args.0 value_error",
        "body.command string_too_small",
        "body.cwd value_error",
      ]],
    ];
    for (const [body, faults] of refused) {
      const answer = await call("POST", "/gateways", { body: { name: "n", ...body } });
      assertEquals([answer.status, faultsOf(answer.body)], [422, faults], JSON.stringify(body));
    }
    assertEquals(discovered, []);
  }));

Deno.test("PUT /gateways keeps of a command and its variables what is not named, and tries what is new first", () =>
  withAdminApi(async ({ call, discovered, store }) => {
    const { body: made } = await call("POST", "/gateways", {
      body: { name: "p", transport: "STDIO", command: "sh", args: ["a"], env: { KEY: "hush", MODE: "x" } },
    });
    const put = (body: Record<string, unknown>) => call("PUT", `/gateways/${made.id}`, { body });
    assertEquals((await put({ description: "new" })).status, 200);
    assertEquals(discovered.length, 1, "nothing to try");

    const { body: moved } = await put({ args: ["b"], cwd: "/srv" });
    assertEquals([moved.command, moved.args, moved.cwd], ["sh", ["b"], "/srv"]);
    assertEquals(moved.env, { KEY: "*****", MODE: "*****" });
    assertEquals(discovered.at(-1)!.env, { KEY: "hush", MODE: "x" });

    // The client sends back what it read, with one variable changed and one removed.
    const { body: changed } = await put({ ...moved, env: { KEY: "*****", NEW: "1" } });
    assertEquals([changed.env, discovered.at(-1)!.env], [{ KEY: "*****", NEW: "*****" }, {
      KEY: "hush",
      NEW: "1",
    }]);
    const { body: bare } = await put({ env: null });
    assertEquals([bare.env, discovered.at(-1)!.env], [{}, {}]);
    assertEquals((await store.gateways.get(made.id))!.authSecret, null);

    const tries = discovered.length;
    const elsewhere = await put({ transport: "SSE", url: "http://u/sse" });
    assertEquals([elsewhere.status, faultsOf(elsewhere.body)], [422, ["body.transport value_error"]]);
    assertEquals(discovered.length, tries);
  }));

Deno.test("PUT /gateways tries a new transport before it is stored", () =>
  withAdminApi(async ({ call, discovered }) => {
    const { body: made } = await call("POST", "/gateways", { body: { name: "p", url: "http://u/mcp" } });
    const put = (body: Record<string, unknown>) => call("PUT", `/gateways/${made.id}`, { body });
    assertEquals(faultsOf((await put({ transport: "WEBSOCKET" })).body), ["body.url value_error"]);
    const { body } = await put({ transport: "SSE" });
    assertEquals([body.transport, discovered.at(-1)!.transport, body.url], ["SSE", "SSE", "http://u/mcp"]);
  }));
