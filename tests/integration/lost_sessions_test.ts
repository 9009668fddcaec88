// Upstreams lose their sessions, as by a restart. Clients of the gateway notice nothing, whatever the upstream answers then.
import { assertEquals } from "@std/assert";
import { ForgetfulUpstream, LOST } from "../support/forgetful_upstream.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";

gatewayTest(
  "A call works in a new session where the upstream has lost the old one, and is executed once",
  async (start) => {
    await using upstream = new ForgetfulUpstream();
    await using sluice = await start({ MCP_SESSION_POOL_ENABLED: "true" });
    const kinds = Object.keys(LOST);
    for (const kind of kinds) await sluice.registerUpstream(kind, upstream.url(kind));
    const token = await sluice.token();
    const session = await openSession(sluice, { token });
    const ask = async (kind: string, way: "session" | "pool") => {
      const call = toolCall(`${kind.replaceAll("_", "-")}-count`);
      const options = way === "pool" ? { path: "/rpc" } : { headers: inSession(session) };
      const { body } = await post(sluice, call, { token, ...options });
      return body.result?.content[0].text ?? JSON.stringify(body);
    };
    // In the session the count shows that the state lives as long as the upstream keeps it. Pooled calls may reach two workers.
    for (const kind of kinds) {
      assertEquals([await ask(kind, "session"), await ask(kind, "session")], [
        "1",
        "2",
      ], kind);
    }
    for (const kind of kinds) for (let i = 0; i < 3; i++) await ask(kind, "pool");
    upstream.forget();
    for (const kind of kinds) {
      assertEquals([await ask(kind, "session"), await ask(kind, "session")], [
        "1",
        "2",
      ], kind);
    }
    for (const kind of kinds) {
      for (let i = 0; i < 3; i++) {
        assertEquals(/^\d+$/.test(await ask(kind, "pool")), true, kind);
      }
    }
    assertEquals([...upstream.executed], kinds.map((kind) => [kind, 10]));
    const lost = await metric(sluice, "sluice_upstream_sessions_lost_total");
    // HTTP 404 and 400 with words about the session need no ping.
    assertEquals(lost, kinds.length - 4);
  },
  { inCluster: false },
);
