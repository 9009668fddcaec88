import { assertEquals, assertThrows } from "@std/assert";
import { principal } from "../../../tests/support/fakes.ts";
import type { McpReply, McpRequest, Serve } from "../../downstream/exchange/mcp_exchange.ts";
import { Succession } from "./succession.ts";

const REPLY: McpReply = { status: 202, headers: {}, body: null };

const REQUEST: McpRequest = {
  method: "POST",
  principal: principal(),
  serverId: null,
  sessionId: null,
  headers: new Headers(),
  protocolVersion: null,
  acceptsStream: true,
  acceptsJson: true,
  body: "{}",
};

const never = new AbortController().signal;

/** Worker 3 of 4, and whether it knows another with its number. */
function worker(isSuccessor: boolean) {
  const asked: number[] = [];
  const other = { isKnown: false };
  const served: McpRequest[] = [];
  const ports = {
    knows: () => other.isKnown,
    forward: (worker: number) => {
      asked.push(worker);
      return Promise.resolve(REPLY);
    },
  };
  const succession = new Succession({ worker: 3, workerCount: 4, isSuccessor, ports });
  const here: Serve = (request) => (served.push(request), Promise.resolve(REPLY));
  return { succession, other, asked, served, serve: succession.whileOwning(here) };
}

Deno.test("Succession: a first worker has the sessions at once, and nobody before it", async () => {
  const { succession, serve, served } = worker(false);
  await serve(REQUEST, never);
  assertEquals([served.length, succession.predecessor(), succession.wayTo(3), succession.hasSuccessor], [
    1,
    null,
    null,
    false,
  ]);
});

Deno.test("Succession: a successor has the sessions when it is given them, and a predecessor as long as that one lives", async () => {
  const { succession, other, asked, serve, served } = worker(true);
  const waiting = serve(REQUEST, never);
  await Promise.resolve();
  assertEquals(served, []);
  other.isKnown = true;
  assertEquals(await succession.predecessor()!(REQUEST, never), REPLY);
  assertEquals(asked, [3]);
  succession.takeOver();
  await waiting;
  assertEquals([served.length, succession.wayTo(3)], [1, null]);
  other.isKnown = false;
  assertEquals(succession.predecessor(), null);
});

Deno.test("Succession: who has handed over sends to its successor, and has nobody before it any more", async () => {
  const { succession, other, asked, serve, served } = worker(false);
  other.isKnown = true;
  succession.handOver();
  assertEquals([succession.isOver, succession.hasSuccessor, succession.predecessor()], [true, true, null]);
  await succession.wayTo(3)!(REQUEST, never);
  await serve(REQUEST, never);
  assertEquals([asked, served], [[3, 3], []]);
  // It has died, but the sessions are not here again.
  other.isKnown = false;
  assertEquals([succession.hasSuccessor, succession.wayTo(3) === null], [false, false]);
});

Deno.test("Succession.wayTo() leads to the worker that a session's id names, also when there are fewer workers now", async () => {
  const { succession, asked } = worker(false);
  await succession.wayTo(1)!(REQUEST, never);
  await succession.wayTo(6)!(REQUEST, never);
  assertEquals([asked, succession.wayTo(7)], [[1, 2], null]);
});

Deno.test("Succession: sessions are neither given away before they came nor taken back", () => {
  assertThrows(() => worker(true).succession.handOver(), Error, "waiting cannot be succeeded");
  const { succession } = worker(false);
  assertThrows(() => succession.takeOver(), Error, "owning cannot be owning");
  succession.handOver();
  assertThrows(() => succession.takeOver(), Error, "succeeded cannot be owning");
});
