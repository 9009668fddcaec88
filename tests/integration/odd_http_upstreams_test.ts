// Upstreams whose HTTP is unusual but sound work; those that cannot work say why.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { OddHttpUpstream, sound } from "../support/odd_http_upstream.ts";
import { waitFor } from "../support/wait_for.ts";
import { Sluice } from "../support/sluice.ts";

/** Registers a kind and calls its tool `echo` over the pool and in a session. */
async function works(sluice: Sluice, odd: OddHttpUpstream, kind: string, more = {}): Promise<void> {
  const { toolCount } = await sluice.registerUpstream(kind, odd.url(kind), more);
  assertEquals(toolCount, 1, kind);
  const session = await openSession(sluice);
  const call = toolCall(`${kind.replaceAll("_", "-")}-echo`, { kind });
  for (const options of [{ path: "/rpc" }, { headers: inSession(session) }]) {
    const { body } = await post(sluice, call, options);
    assertEquals(
      body.result?.content,
      [{ type: "text", text: JSON.stringify({ kind }) }],
      `${kind}: ${JSON.stringify(body)}`,
    );
  }
}

async function refused(sluice: Sluice, odd: OddHttpUpstream, kind: string, more = {}): Promise<string> {
  const { status, body } = await sluice.api("POST", "/gateways", {
    ...{ name: kind, url: odd.url(kind), transport: "STREAMABLEHTTP", ...more },
  });
  assertEquals(status, 502, kind);
  return body.detail;
}

Deno.test("Upstreams with unusual HTTP", async (t) => {
  let version = "old";
  let isBroken = false;
  await using odd = new OddHttpUpstream({
    breaking: (asked) =>
      isBroken
        ? new Response("<h1>Cannot reach internal-7</h1>", {
          status: 502,
          headers: { "content-type": "text/html" },
        })
        : sound(asked),
    redeployed: (asked) => {
      if (asked.message.method !== "tools/list") return sound(asked);
      const tools = [{ name: version.split(" ")[0], description: version, inputSchema: { type: "object" } }];
      return sound({ ...asked, answer: { ...asked.answer, result: { tools } } });
    },
  });
  const env = { MAX_UPSTREAM_RESPONSE_BYTES: "1000000", SILENT_UPSTREAM_REFRESH_INTERVAL: "2" };
  await using sluice = await Sluice.start({ env });

  await t.step("compressed answers are decoded, asked for or not", async () => {
    const kinds = ["gzip", "deflate", "bare_deflate", "brotli", "gzip_events", "brotli_events", "unasked"];
    for (const kind of kinds) await works(sluice, odd, kind);
    const headers = odd.headers.get("unasked")!;
    assertEquals(headers.get("accept-encoding"), "identity");
    assert(/^sluice\/\d+\.\d+/.test(headers.get("user-agent")!));
  });

  await t.step("a small answer that becomes a large one is refused, an unknown coding named", async () => {
    for (const kind of ["bomb", "bomb_event"]) {
      assertStringIncludes(
        await refused(sluice, odd, kind),
        "more than 1000000 bytes (MAX_UPSTREAM_RESPONSE_BYTES)",
      );
    }
    assertStringIncludes(await refused(sluice, odd, "zstd"), 'the content coding "zstd"');
  });

  await t.step("event streams with CR line ends, and with events that are no messages", async () => {
    for (const kind of ["cr", "cr_split", "noise_event", "noise_json"]) await works(sluice, odd, kind);
    assertStringIncludes(await refused(sluice, odd, "only_noise"), "an event is no JSON-RPC message");
  });

  await t.step("redirects within the origin are followed and remembered", async () => {
    for (const kind of ["r307", "r308", "r307_relative", "r301", "r302"]) {
      await works(sluice, odd, kind, {
        auth_type: "query_param",
        auth_query_param_key: "key",
        auth_query_param_value: "k-1",
      });
      const seen = odd.seen.get(kind)!;
      const registered = seen.filter((line) => line.startsWith(`POST /${kind}/mcp?`)).length;
      // Discovery, and perhaps the other worker.
      assert(registered >= 1 && registered <= 2 && seen.length >= 7, `${kind}: ${seen}`);
      assert(seen.every((line) => line.endsWith("?key=k-1")), `${kind}: ${seen}`);
    }
  });

  await t.step("other redirects are not followed, and their address is named", async () => {
    const port = new URL(odd.url("x")).port;
    const cases = [
      ["r302_login", "HTTP 302", "location: /login?next=/mcp"],
      ["r307_host", "HTTP 307", `location: http://localhost:${port}/r307_host/mcp/`],
      ["r307_https", "HTTP 307", `location: https://127.0.0.1:${port}/r307_https/mcp/`],
      ["r307_loop", "HTTP 307", "location: /r307_loop/mcp"],
    ] as const;
    for (const [kind, ...words] of cases) {
      const detail = await refused(sluice, odd, kind);
      for (const word of words) assertStringIncludes(detail, word);
      assert(odd.seen.get(kind)!.every((line) => line === `POST /${kind}/mcp`));
      assert(odd.seen.get(kind)!.length <= 12 + 2, `${odd.seen.get(kind)}`);
    }
    assertEquals(odd.seen.get("login"), undefined);
  });

  await t.step("a firewall that wants a User-Agent gets one, and may get another", async () => {
    await works(sluice, odd, "waf");
    const auth_headers = [{ key: "User-Agent", value: "ours/2" }];
    const detail = await refused(sluice, odd, "waf", {
      name: "waf2",
      auth_type: "authheaders",
      auth_headers,
    });
    assertStringIncludes(detail, "HTTP 403");
    assertEquals(odd.headers.get("waf")!.get("user-agent"), "ours/2");
  });

  await t.step("a refused notifications/initialized is tolerated and logged", async () => {
    const refusals = { 400: 400, 404: 404, 500: 500, 401: 401, redirect: 302 };
    for (const [kind, status] of Object.entries(refusals)) {
      await works(sluice, odd, `notified_${kind}`);
      const tolerated = () =>
        sluice.log().filter(({ event, upstream }) =>
          event === "upstream has a fault that the gateway tolerates" && upstream === `notified_${kind}`
        );
      await waitFor(() => tolerated().length >= 1, { what: "the fault in the log" });
      const faults = tolerated();
      assert(faults.length <= sluice.workers, JSON.stringify(faults));
      assertStringIncludes(String(faults[0]!.what), `HTTP ${status}`);
    }
    for (const kind of ["notified_error", "notified_page"]) await works(sluice, odd, kind);
  });

  await t.step("tools that no capability declares are listed, with a hint", async () => {
    for (const kind of ["undeclared", "undeclared_others", "undeclared_null", "undeclared_missing"]) {
      const { warnings, lastError } = await sluice.registerUpstream(`${kind}_2`, odd.url(kind));
      assertEquals(warnings.map(({ loc, type }: { loc: string[]; type: string }) => [loc, type]), [
        [["tools/list"], "list_undeclared"],
      ]);
      assertEquals(lastError, null);
    }
    await works(sluice, odd, "undeclared", { auth_type: "bearer", auth_token: "of another caller" });
  });

  await t.step("what an upstream answered is for administrators and the log, not for callers", async () => {
    isBroken = false;
    const { id } = await sluice.registerUpstream("breaking", odd.url("breaking"), { visibility: "public" });
    isBroken = true;
    const member = await sluice.token({ admin: false, username: "user@example.com" });
    for (const token of [member, await sluice.token()]) {
      const { body } = await post(sluice, toolCall("breaking-echo"), { path: "/rpc", token });
      assertEquals(body.error.message, 'Upstream "breaking" answered HTTP 502: an HTML page');
      assert(!JSON.stringify(body).includes("internal-7"), JSON.stringify(body));
    }
    const { status, body } = await sluice.api("POST", `/gateways/${id}/tools/refresh`);
    assertEquals(status, 502);
    assertStringIncludes(body.detail, 'it answered: HTTP 502, text/html: "Cannot reach internal-7"');
    const shown = await sluice.api("GET", `/gateways/${id}`);
    assertStringIncludes(shown.body.lastError, "internal-7");
    const { lastError } = (await sluice.api("GET", `/gateways/${id}`, undefined, member)).body;
    assertEquals(lastError, 'Upstream "breaking" answered HTTP 502: an HTML page');
    await waitFor(() => sluice.log().some(({ cause }) => String(cause).includes("internal-7")), {
      what: "the log",
    });
  });

  await t.step("a redeployed upstream without sessions is noticed", async () => {
    const tools = async () => {
      const { body } = await sluice.api("GET", "/tools?limit=0");
      return body.map(({ name }: { name: string }) => name).filter((name: string) =>
        name.startsWith("redeployed")
      );
    };
    await sluice.registerUpstream("redeployed", odd.url("redeployed"));
    assertEquals(await tools(), ["redeployed-old"]);
    version = "new";
    await waitFor(async () => (await tools()).join() === "redeployed-new", { what: "the new tool alone" });
    version = "new in other words";
    await waitFor(async () => {
      const { body } = await sluice.rpc("tools/list");
      return body.result.tools.some(({ description }: { description: string }) => description === version);
    }, { what: "the new description" });
  });

  await t.step("words name the real cause, without secrets", async () => {
    const cases = [
      ["waf_403", ["answered HTTP 403: an HTML page", '"Attention Required! | Firewall error code: 1010"']],
      ["login_page", ["not JSON, but an HTML page", 'HTTP 200, text/html: "Please log in"']],
      ["basic_401", ["refused our credentials (HTTP 401)", 'www-authenticate: Basic realm="ops"']],
      ["echo_401", ["refused our credentials (HTTP 401)", 'text/plain: "bad token ***"']],
      ["busy_503", ["answered HTTP 503: an HTML page", '"503 Backend fetch failed"']],
    ] as const;
    for (const [kind, words] of cases) {
      // Without a transport SSE is tried besides.
      for (const transport of ["STREAMABLEHTTP", undefined]) {
        const credentials = { auth_type: "bearer", auth_token: "hush-hush-1" };
        const detail = await refused(sluice, odd, kind, { ...credentials, transport });
        for (const word of words) assertStringIncludes(detail, word);
        assert(!detail.includes("hush"), detail);
      }
    }
    assert(!(sluice.stdout.tail(10_000) + sluice.stderr.tail(10_000)).includes("hush"));
  });
});
