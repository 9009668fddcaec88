// The metrics of a gateway with two workers, as scrapers and people read them.
import { assert, assertEquals } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { post, toolCall } from "../support/mcp_post.ts";
import { runCli } from "../support/cli.ts";
import { findProgram, hasProgram } from "../support/programs.ts";
import { Prometheus } from "../support/prometheus.ts";
import { waitFor } from "../support/wait_for.ts";
import { Sluice } from "../support/sluice.ts";

const SCRAPER = "k7Jq2mVx9Rt4Wz8Yb3Nc6Pd1Fg5Hs0La";

/** Series -> value. */
function seriesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at))];
  }));
}

Deno.test("GET /metrics tells what calls, upstreams, workers and the process are doing", async (t) => {
  await using upstream = FastUpstream.start();
  await using sluice = await Sluice.start({ env: { METRICS_TOKEN: SCRAPER } });
  await sluice.registerUpstream("fast", upstream.url);

  await t.step("by method, upstream, tool and outcome, summed over the workers", async () => {
    for (let i = 0; i < 6; i++) {
      const { body } = await post(sluice, toolCall("fast-echo", { message: "hi" }), { path: "/rpc" });
      assert(body.result, JSON.stringify(body));
    }
    await post(sluice, toolCall("fast-none", {}), { path: "/rpc" });
    await post(sluice, { jsonrpc: "2.0", id: 1, method: "made/up" }, { path: "/rpc" });
    const series = seriesOf((await sluice.api("GET", "/metrics/prometheus")).body);
    const calls = (outcome: string) =>
      series.get(`sluice_tool_calls_total{upstream="fast",gen_ai_tool_name="echo",outcome="${outcome}"}`);
    assertEquals([calls("success"), calls("tool_error"), calls("error")], [6, 0, 0]);
    const served = (method: string, type: string) =>
      series.get(
        `mcp_server_operation_duration_seconds_count{mcp_method_name="${method}",error_type="${type}"}`,
      );
    assertEquals(
      [
        served("tools/call", ""),
        served("tools/call", "TOOL_NOT_FOUND"),
        served("_OTHER", "METHOD_NOT_FOUND"),
      ],
      [6, 1, 1],
    );
    assertEquals(
      series.get(
        'mcp_client_operation_duration_seconds_count{upstream="fast",mcp_method_name="tools/call",error_type=""}',
      ),
      6,
    );
    assert(series.get('sluice_http_request_duration_seconds_count{endpoint="rpc"}')! >= 8);
  });

  await t.step("each worker and the process", async () => {
    const read = async () => seriesOf((await sluice.api("GET", "/metrics/prometheus")).body);
    let series = await read();
    const of = (name: string) =>
      [...series].filter(([key]) => key.startsWith(name)).map(([, value]) => value);
    await waitFor(async () => {
      series = await read();
      const looks = of("sluice_event_loop_delay_seconds_count{");
      return looks.length === 2 && looks.every((count) => count > 0);
    }, { what: "a look at the event loop of each worker" });
    assertEquals(of("sluice_upstream_up{"), [1]);
    assertEquals(of("sluice_upstream_breaker_open{"), [0]);
    // The upstream keeps no sessions.
    assertEquals(of('sluice_upstream_sessions{upstream="fast"}'), [0]);
    assert(of("sluice_outbound_wait_seconds_count")[0]! > 0, "a connection was opened");
    assertEquals(of("sluice_pool_wait_seconds_count"), [0]);
    assertEquals(of("sluice_build_info{"), [1]);
    assertEquals(of("sluice_worker_heap_bytes{").map((bytes) => bytes > 1_000_000), [true, true]);
    assertEquals(of("sluice_pool_sessions_limit").length, 1);
    assertEquals(of('sluice_workers_ended_total{reason="died"}'), [0]);
    for (const name of ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds"]) {
      assert(of(`process_${name}`)[0]! > 0, name);
    }
  });

  await t.step("to a scraper with METRICS_TOKEN, which opens nothing else", async () => {
    const statuses = await Promise.all(
      ["/metrics/prometheus", "/metrics", "/version", "/tools", "/gateways"].map(async (path) =>
        (await sluice.api("GET", path, undefined, SCRAPER)).status
      ),
    );
    assertEquals(statuses, [200, 401, 401, 401, 401]);
    assertEquals((await sluice.api("POST", "/metrics/prometheus", {}, SCRAPER)).status, 405);
    const wrong = `${SCRAPER.slice(1)}x`;
    assertEquals((await sluice.api("GET", "/metrics/prometheus", undefined, wrong)).status, 401);
    assertEquals(
      (await post(sluice, toolCall("fast-echo", {}), { path: "/rpc", token: SCRAPER })).status,
      401,
    );
  });

  await t.step("as OpenMetrics to whoever prefers it", async () => {
    const read = async (accept: string) => {
      const headers = { authorization: `Bearer ${SCRAPER}`, accept };
      const response = await fetch(`${sluice.url}/metrics/prometheus`, { headers });
      return { type: response.headers.get("content-type"), text: await response.text() };
    };
    const open = await read(
      "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    );
    assertEquals(open.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert(open.text.endsWith("# EOF\n"));
    // Without traces there is nothing to name.
    assert(!open.text.includes(" # {"));
    assert(open.text.includes("# TYPE sluice_tool_calls counter\nsluice_tool_calls_total{"));
    const plain = await read("*/*");
    assertEquals(plain.type, "text/plain; version=0.0.4; charset=utf-8");
  });

  await t.step(
    "as ContextForge's JSON at /metrics, of one tool at /tools/{id}, and as text to scrapers there",
    async () => {
      const { body } = await sluice.api("GET", "/metrics");
      assertEquals([body.tools.totalExecutions, body.tools.failedExecutions], [6, 0]);
      assertEquals(body.servers.totalExecutions, 0);
      // Every path of ContextForge's REST API is below /v1 as well.
      assertEquals((await sluice.api("GET", "/v1/metrics")).body.tools, body.tools);
      assert(body.tools.minResponseTime <= body.tools.avgResponseTime);
      assert(body.tools.avgResponseTime <= body.tools.maxResponseTime);
      const [top] = body.topPerformers.tools;
      assertEquals([top.name, top.executionCount, top.successRate], ["fast-echo", 6, 100]);
      const ago = Date.now() - Date.parse(body.tools.lastExecutionTime);
      assert(ago >= -1_000 && ago < 60_000, `${ago} ms ago`);
      const tool = (await sluice.api("GET", `/tools/${top.id}`)).body;
      assertEquals(tool.metrics, body.tools);
      // They are of now, though the registry has not changed.
      await post(sluice, toolCall("fast-echo", { message: "hi" }), { path: "/rpc" });
      assertEquals((await sluice.api("GET", `/tools/${top.id}`)).body.metrics.totalExecutions, 7);
      const headers = {
        authorization: `Bearer ${await sluice.token()}`,
        accept: "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      };
      const text = await (await fetch(`${sluice.url}/metrics`, { headers })).text();
      assert(text.includes("# TYPE sluice_workers_ready gauge"));
    },
  );

  await t.step({
    name: "to a real Prometheus, whose rules and dashboard are those that the program prints",
    ignore: !hasProgram("prometheus"),
    fn: async () => {
      const [alerts, dashboard] = await Promise.all(
        ["alerts", "dashboard"].map((what) => runCli(["metrics", what], { cwd: sluice.cwd })),
      );
      assertEquals([alerts!.code, dashboard!.code], [0, 0]);
      const rules = await Deno.makeTempFile({ suffix: ".yml" });
      await Deno.writeTextFile(rules, alerts!.out);
      const check = await new Deno.Command(findProgram("promtool")!, { args: ["check", "rules", rules] })
        .output();
      await Deno.remove(rules);
      assert(check.success, new TextDecoder().decode(check.stderr));

      await using prometheus = await Prometheus.start({
        target: new URL(sluice.url).host,
        token: SCRAPER,
        rules: alerts!.out,
      });
      const calls = () =>
        prometheus.values('sluice_tool_calls_total{gen_ai_tool_name="echo",outcome="success"}');
      await waitFor(async () => (await calls())[0] === 7, { what: "the counted calls" });
      await waitFor(async () => (await prometheus.values("up"))[0] === 1, { what: "a scrape in time" });
      const { panels } = JSON.parse(dashboard!.out);
      const targets = panels.flatMap(({ targets = [] }: { targets?: { expr: string }[] }) => targets);
      assert(targets.length > 30);
      const asked = (expr: string) =>
        expr.replaceAll("$__rate_interval", "1m").replaceAll(/"\$(instance|upstream)"/g, '".*"');
      // Prometheus refuses what it cannot parse or evaluate.
      for (const { expr } of targets) await prometheus.values(asked(expr));
      // A panel with one number has it also where nothing fails.
      const numbers = panels.filter(({ type }: { type: string }) => type === "stat");
      for (const { title, targets: [{ expr }] } of numbers) {
        await waitFor(async () => (await prometheus.values(asked(expr))).length > 0, { what: title });
      }
      const judged = async () =>
        (await prometheus.get("rules")).groups.flatMap((group: { rules: unknown[] }) => group.rules);
      await waitFor(async () => (await judged()).every(({ health }: { health: string }) => health === "ok"), {
        what: "the rules to be evaluated",
      });
      // One that a slow machine has caused for a moment goes again.
      await waitFor(
        async () => (await judged()).every(({ state }: { state: string }) => state === "inactive"),
        {
          what: "no alert",
        },
      );
    },
  });
});
