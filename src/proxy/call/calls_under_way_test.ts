import { assertEquals, assertRejects } from "@std/assert";
import { catalogRows, gatewayRow, serverRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { Cancellation, unlessAborted } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { GatewayRow, ServerRow } from "../../store/registry/rows.ts";
import type { CallContext } from "./call_context.ts";
import { CallMeter } from "./call_meter.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { CallsUnderWay } from "./calls_under_way.ts";

function catalogWith(gateways: GatewayRow[], servers: ServerRow[] = []): Catalog {
  return new Catalog(catalogRows({
    gateways,
    tools: gateways.map(({ id, visibility, teamId }) => toolRow(id, "x", { visibility, teamId })),
    servers,
  }));
}

function setUp() {
  const server = serverRow("s", { toolIds: ["a-x", "b-x"] });
  const before = catalogWith([gatewayRow("a"), gatewayRow("b")], [server]);
  const calls = new CallsUnderWay(new CallMeter(new Metrics(), 10));
  const begin = (gatewayId: string, more: Partial<CallContext> = {}) => {
    const context = { principal: principal(), scope: before.all, ...more } as CallContext;
    const endless = new Promise<RpcAnswer>(() => {});
    const entry = { gateway: before.gateway(gatewayId)! };
    return calls.run(context, entry, "tools/list", (signal) => unlessAborted(endless, signal));
  };
  return { before, server, calls, begin };
}

async function failure(call: Promise<unknown>): Promise<string> {
  const { code, message } = await assertRejects(() => call, SluiceError);
  return `${code}: ${message}`;
}

Deno.test("CallsUnderWay.review() ends the calls to an upstream that is off, deleted or hidden, with the reason", async () => {
  const { calls, begin, before } = setUp();
  for (
    const [after, reason] of [
      [[gatewayRow("a", { enabled: false })], "it is switched off"],
      [[], "it was deleted"],
      [[gatewayRow("a", { visibility: "private", ownerEmail: "x" })], "the caller may not use it"],
    ] as const
  ) {
    const [cut, other] = [begin("a"), begin("b")];
    calls.review(before);
    calls.review(catalogWith([...after, gatewayRow("b")]));
    assertEquals(await failure(cut), `UPSTREAM_DISABLED: Upstream "a" cannot be used: ${reason}`);
    assertEquals(await Promise.race([other, Promise.resolve("goes on")]), "goes on");
  }
});

Deno.test("CallsUnderWay.review() ends the calls at a virtual server that is gone", async () => {
  const { calls, begin, before } = setUp();
  const [cut, other] = [begin("a", { scope: before.scope("s") }), begin("a")];
  calls.review(catalogWith([gatewayRow("a"), gatewayRow("b")]));
  assertEquals(await failure(cut), "NOT_FOUND: Server not found");
  assertEquals(await Promise.race([other, Promise.resolve("goes on")]), "goes on");
});

Deno.test("CallsUnderWay.run() ends with the client's request, and leaves nothing of a call behind", async () => {
  const { calls, begin } = setUp();
  const signal = new Cancellation();
  const call = begin("a", { signal });
  signal.cancel(new SluiceError("REQUEST_CANCELLED"));
  assertEquals(await failure(call), "REQUEST_CANCELLED: The request was cancelled");
  assertEquals(await failure(begin("a", { signal })), "REQUEST_CANCELLED: The request was cancelled");
  assertEquals(calls.size, 0);
});

Deno.test("CallsUnderWay counts what succeeds and what fails of each tool, also without a trace", async () => {
  const metrics = new Metrics();
  const calls = new CallsUnderWay(new CallMeter(metrics, 10));
  const gateway = gatewayRow("a");
  const context = { principal: principal(), scope: catalogWith([gateway]).all } as CallContext;
  const entry = { gateway, row: toolRow("a", "x") };
  const run = (answer: Promise<RpcAnswer>) => calls.run(context, entry, "tools/call", () => answer);
  const running = run(Promise.resolve({ failed: false, text: "{}" } as RpcAnswer));
  assertEquals([...calls.byUpstream()], [["a", 1]]);
  await running;
  assertEquals([...calls.byUpstream()], []);
  const closed = new SluiceError("UPSTREAM_CLOSED", { upstream: "a", reason: "gone" });
  await assertRejects(() => run(Promise.reject(closed)), SluiceError);
  const { values } = metrics.snapshot().find(({ name }) => name === "sluice_tool_calls_total")!;
  const outcomes = values.filter(([, [count]]) => count === 1).map(([key]) => key.split("\0").at(-1));
  assertEquals(outcomes.toSorted(), ["error", "success"]);
});
