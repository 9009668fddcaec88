import { assertEquals, assertThrows } from "@std/assert";
import { principal } from "../../../tests/support/fakes.ts";
import type { McpReply, McpRequest } from "../../downstream/exchange/mcp_exchange.ts";
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

/** Worker 3, and whether it knows another with its number. */
function worker(isSuccessor: boolean) {
  const asked: number[] = [];
  const other = { isKnown: false };
  const succession = new Succession(3, isSuccessor, {
    knows: () => other.isKnown,
    forward: (worker) => {
      asked.push(worker);
      return Promise.resolve(REPLY);
    },
  });
  return { succession, other, asked };
}

Deno.test("Succession: a first worker has the sessions at once, and nobody before it", async () => {
  const { succession } = worker(false);
  await succession.owning;
  assertEquals([succession.predecessor(), succession.successor(), succession.hasSuccessor], [
    null,
    null,
    false,
  ]);
});

Deno.test("Succession: a successor has the sessions when it is given them, and a predecessor as long as that one lives", async () => {
  const { succession, other, asked } = worker(true);
  let isOwning = false;
  void succession.owning.then(() => isOwning = true);
  await Promise.resolve();
  assertEquals(isOwning, false);
  other.isKnown = true;
  assertEquals(await succession.predecessor()!(REQUEST, never), REPLY);
  assertEquals(asked, [3]);
  succession.takeOver();
  await succession.owning;
  assertEquals(succession.successor(), null);
  other.isKnown = false;
  assertEquals(succession.predecessor(), null);
});

Deno.test("Succession: who has handed over sends to its successor, and has nobody before it any more", async () => {
  const { succession, other, asked } = worker(false);
  other.isKnown = true;
  succession.handOver();
  assertEquals([succession.isOver, succession.hasSuccessor, succession.predecessor()], [true, true, null]);
  await succession.successor()!(REQUEST, never);
  assertEquals(asked, [3]);
  // It has died, but the sessions are not here again.
  other.isKnown = false;
  assertEquals([succession.hasSuccessor, succession.successor() === null], [false, false]);
});

Deno.test("Succession: sessions are neither given away before they came nor taken back", () => {
  assertThrows(() => worker(true).succession.handOver(), Error, "waiting cannot be succeeded");
  const { succession } = worker(false);
  assertThrows(() => succession.takeOver(), Error, "owning cannot be owning");
  succession.handOver();
  assertThrows(() => succession.takeOver(), Error, "succeeded cannot be owning");
});
