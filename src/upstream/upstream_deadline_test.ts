// A call's limit covers every wait: for a pooled session, for a new session, and for the answer.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { setUp } from "../../tests/support/pooled_upstream.ts";
import { SluiceError } from "../base/errors.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";

const never = () => new Promise<never>(() => {});

async function timeoutOf(run: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(run, SluiceError);
  assertEquals(error.code, "UPSTREAM_TIMEOUT");
  return error.message;
}

Deno.test("Upstream.request() waits for a session of the pool no longer than the call may take", async () => {
  const { ask, count, pool } = setUp({
    script: ({ method }) => method === "tools/call" ? never() : undefined,
    limits: { maxPerKey: 1 },
  });
  ask({ timeoutMs: 60_000 }).catch(() => {});
  assertEquals(
    await timeoutOf(() => ask({ timeoutMs: 40 })),
    'Upstream "fake" did not provide a session for the call within 40 ms (TOOL_TIMEOUT)',
  );
  assertEquals(count("tools/call"), 1);
  await pool.close();
});

Deno.test("Upstream.request() waits for a session that is opened no longer than the call may take, which is no fault", async () => {
  for (const bound of [null, new BoundSessions()]) {
    const { ask, state } = setUp({
      script: ({ method }) => method === "initialize" ? never() : undefined,
      deps: { poolEnabled: false },
    });
    for (let i = 0; i < 5; i++) {
      assertEquals(
        await timeoutOf(() => ask({ bound, timeoutMs: 20 })),
        'Upstream "fake" did not open a session within 20 ms (TOOL_TIMEOUT)',
      );
    }
    assertEquals(state(), "closed");
  }
});

Deno.test("Upstream.request() counts what the call has waited for from its answer's time", async () => {
  for (const bound of [null, new BoundSessions()]) {
    const { ask, fake, pool } = setUp();
    const startedAt = Date.now() - 5_000;
    await ask({ bound, startedAt, timeoutMs: 20_000 });
    const { deadline } = fake.received.find(({ method }) => method === "tools/call")!.http;
    assertEquals([deadline!.at, deadline!.ms], [startedAt + 20_000, 20_000]);
    assert(fake.received[0]!.http.deadline!.at > Date.now());
    await pool.close();
  }
});
