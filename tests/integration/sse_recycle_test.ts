// Legacy SSE sessions while their workers are recycled: each message reaches its session until the stream has ended.
import { assert, assertEquals } from "@std/assert";
import { INITIALIZE, post } from "../support/mcp_post.ts";
import { assertWithin } from "../support/pace.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** An SSE session by `fetch`: what it is told, and when its stream has ended. */
async function openSse(sluice: Sluice, token: string) {
  const response = await fetch(`${sluice.url}/sse`, { headers: { authorization: `Bearer ${token}` } });
  assertEquals(response.status, 200);
  const events: string[] = [];
  const state = { ended: false };
  const reading = (async () => {
    let text = "";
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (text + piece).split("\n\n");
      text = parts.pop()!;
      events.push(...parts);
    }
    state.ended = true;
  })();
  const first = await waitFor(() => events[0], { what: "the endpoint" });
  return { path: `/${/^data: (.*)$/m.exec(first)![1]!}`, events, state, reading };
}

Deno.test("SSE sessions take messages on any connection while their workers are recycled, and end with an end (timed)", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "2", MAX_REQUESTS: "200" } });
  const token = await sluice.token();
  const sessions = await Promise.all(Array.from({ length: 6 }, () => openSse(sluice, token)));
  const used = sessions.map(async ({ path, events, state }) => {
    const { status } = await post(sluice, INITIALIZE, { token, path });
    assertEquals(status, 202);
    for (let id = 1;; id++) {
      const { status, body } = await post(sluice, { jsonrpc: "2.0", id, method: "ping" }, { token, path });
      if (status !== 202) {
        // The stream ended meanwhile, or is about to be seen to have.
        assertEquals([status, body.error.data.code], [404, "SESSION_NOT_FOUND"]);
        const from = performance.now();
        await waitFor(() => state.ended, { what: "the end of a stream whose session is gone" });
        // A worker that is left by its clients takes 4 s to end.
        await assertWithin(performance.now() - from, 2_000, "The end of the stream");
        return id;
      }
      const answer = await waitFor(
        () => state.ended || events.find((event) => event.includes(`"id":${id},`)),
        {
          what: `the answer to ping ${id}`,
        },
      );
      // In its last moment a worker takes no more requests, and says so.
      if (answer === true || answer.includes("SHUTTING_DOWN")) return id;
      assert(answer.includes('"result":{}'), answer);
    }
  });
  // Once the successors serve, before the old workers end, messages come for streams that a predecessor has.
  const counts = await Promise.all(used);
  await Promise.all(sessions.map(({ reading }) => reading));
  // A worker is recycled once it has ended, which is after its streams have.
  await waitFor(() => sluice.log().some(({ event }) => event === "worker recycled"), {
    what: "the end of a worker to be logged",
  });
  assert(sessions.every(({ state }) => state.ended));
  // The first to be recycled has had 200 requests by then, and after that its clients have 4 s to leave.
  assert(counts.every((count) => count > 20), `${counts}`);
});
