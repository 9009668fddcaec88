import { assertEquals } from "@std/assert";
import { catalogRows, gatewayRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { duplexServer } from "../../../tests/support/duplex_client.ts";
import { taskGateway, TaskUpstream } from "../../../tests/support/fake_tasks.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";

const CAN_TASKS = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";

async function start() {
  const upstream = new TaskUpstream("up", "stateless");
  const rows = catalogRows({
    gateways: [gatewayRow("a", taskGateway(upstream))],
    tools: [toolRow("a", "work")],
  });
  const { connect } = await duplexServer(rows, { a: upstream.fake });
  const client = connect();
  const make = async (id: number): Promise<string> => {
    const [answer] = await client.ask(id, "tools/call", { name: "a-work" }, CAN_TASKS);
    return answer.result.taskId;
  };
  return { upstream, make, ...client };
}

Deno.test("A listener hears of the tasks that it has named, under the ids that it knows, until it leaves", async () => {
  const { upstream, make, ask, tell, sent } = await start();
  const [one, other] = [await make(1), await make(2)];
  sent.length = 0;
  await ask(3, "subscriptions/listen", { notifications: { taskIds: [one, "gone", other] } }, CAN_TASKS);
  // One that is not this caller's is not honoured, and the acknowledgement says so.
  assertEquals(sent[0].params.notifications, { taskIds: [one, other] });
  await waitFor(() => upstream.listening.length === 1, { what: "the upstream to be listened to" });
  assertEquals(
    (upstream.listening[0]!.request.params as { notifications: unknown }).notifications,
    { taskIds: ["up-1", "up-2"] },
  );
  upstream.finish();
  upstream.tellOf("up-2");
  await waitFor(() => sent.length === 2, { what: "the notification" });
  const { method, params } = sent[1];
  assertEquals([method, params.taskId, params.status], ["notifications/tasks", other, "completed"]);
  assertEquals(params._meta, { [SUBSCRIPTION]: 3 });
  await tell({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 3 } });
  await waitFor(() => upstream.listening[0]!.isGivenUp, { what: "the upstream's stream to be given up" });
});

Deno.test("A listener that names tasks has to declare their extension, and asks no upstream for those of others", async () => {
  const { upstream, make, ask } = await start();
  const task = await make(1);
  const [refused] = await ask(2, "subscriptions/listen", { notifications: { taskIds: [task] } });
  assertEquals(refused.error.code, -32021);
  const [acknowledged] = await ask(
    3,
    "subscriptions/listen",
    { notifications: { taskIds: ["x"] } },
    CAN_TASKS,
  );
  assertEquals([acknowledged.params.notifications, upstream.listening], [{}, []]);
});
