import { assertEquals } from "@std/assert";
import { settle } from "../../../tests/support/fakes.ts";
import type { UpstreamChannel } from "../session/upstream_channel.ts";
import { BoundSessions } from "./bound_sessions.ts";

Deno.test("BoundSessions keeps 256 upstream sessions of a client, and closes the oldest for one more", async () => {
  const bound = new BoundSessions();
  const closed: number[] = [];
  for (let n = 0; n < 257; n++) {
    const channel = { close: () => Promise.resolve(void closed.push(n)) } as unknown as UpstreamChannel;
    await bound.get(`${n}`, { upstreamId: `${n}`, isRetired: () => false }, () => Promise.resolve(channel));
  }
  await settle();
  assertEquals([bound.size, closed], [256, [0]]);
  await bound.end();
  assertEquals(closed.length, 257);
});
