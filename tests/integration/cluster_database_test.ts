// What a warm call costs the database of a cluster: nothing.
import { assert, assertEquals } from "@std/assert";
import { CLUSTER_MISSING } from "../support/cluster.ts";
import { startScaledCluster } from "../support/cluster_scale.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";

const MEASUREMENTS = 5;

Deno.test({
  name:
    "Warm calls and lists, on any replica and for any, ask the database nothing; Redis has one connection a worker",
  ignore: CLUSTER_MISSING,
  fn: async () => {
    await using scaled = await startScaledCluster({ tools: 100, servers: 5 });
    const { cluster, toolNames, serverIds } = scaled;
    const token = await cluster.token();
    const paths = ["/mcp", `/servers/${serverIds[0]}/mcp`];
    const sessions = await Promise.all(
      Array.from({ length: 12 }, (_, i) => openSession(cluster, { token, path: paths[i % 2] })),
    );
    const round = async () => {
      const answers = await Promise.all(sessions.flatMap((id, i) => {
        const options = { token, path: paths[i % 2], headers: inSession(id) };
        const call = toolCall(toolNames[i % 10]!);
        return [
          post(cluster, call, options),
          post(cluster, { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} }, options),
          post(cluster, call, { token, path: "/rpc" }),
        ];
      }));
      for (const { status, body } of answers) {
        assertEquals([status, body.error], [200, undefined], JSON.stringify(body));
      }
      return answers.length;
    };
    for (let i = 0; i < 3; i++) await round();
    assert(await scaled.statements() > 100, "what came before was counted");
    const askedIn = async (calls: number) => {
      const before = await scaled.statements();
      while (calls > 0) calls -= await round();
      return await scaled.statements() - before;
    };
    // Replicas ask by themselves, too: they sweep twice a minute. That falls into one measurement, and not into each.
    const asked: number[] = [];
    while (asked.at(-1) !== 0 && asked.length < MEASUREMENTS) asked.push(await askedIn(300));
    assertEquals(asked.at(-1), 0, `statements: ${asked}`);

    const perReplica = ["sluice-bus", "sluice-worker-0", "sluice-worker-1"];
    assertEquals(
      await cluster.servers.redis.connections(),
      cluster.replicas.flatMap(() => perReplica).sort(),
    );
  },
});
