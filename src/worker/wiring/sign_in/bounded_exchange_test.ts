import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock, settled } from "../../../../tests/support/fake_clock.ts";
import { SluiceError } from "../../../base/errors.ts";
import type { HttpClient, HttpRequest, HttpResponse } from "../../../upstream/http_client/http_client.ts";
import { boundedExchange } from "./bounded_exchange.ts";

const REQUEST = { method: "GET", url: new URL("https://idp.example/keys"), headers: [] } as const;

function deps(send: (request: HttpRequest) => Promise<HttpResponse>, check = () => Promise.resolve()) {
  const clock = new FakeClock();
  const client: HttpClient = { send, close() {} };
  return { outbound: { client, check }, clock, timeoutMs: 5_000, setting: "SSO_REQUEST_TIMEOUT" };
}

const answer = (text: (maxBytes: number) => Promise<string>): HttpResponse => ({
  status: 200,
  header: (name) => name === "content-type" ? "application/json" : null,
  text,
  chunks: () => Promise.reject(new Error("not read in pieces")) as never,
  discard() {},
});

Deno.test("boundedExchange() ends a request that takes too long, and says by which setting", async () => {
  let signal: HttpRequest["signal"];
  const slow = deps((request) => {
    signal = request.signal;
    return new Promise(() => {});
  });
  const failing = assertRejects(() => boundedExchange(REQUEST, slow), Error);
  await settled();
  await slow.clock.tick(5_000);
  assertEquals((await failing).message, "no answer within 5000 ms (SSO_REQUEST_TIMEOUT)");
  assertEquals(signal?.aborted, true);
  // A body that never ends, too.
  const endless = deps(() => Promise.resolve(answer(() => new Promise(() => {}))));
  const stuck = assertRejects(() => boundedExchange(REQUEST, endless), Error, "no answer within");
  await settled();
  await endless.clock.tick(5_000);
  await stuck;
});

Deno.test("boundedExchange() reads 256 KiB at most, and connects only where it may", async () => {
  const huge = deps(() =>
    Promise.resolve(answer((maxBytes) => {
      assertEquals(maxBytes, 256 * 1024);
      return Promise.reject(
        new SluiceError("UPSTREAM_RESPONSE_TOO_LARGE", { upstream: "idp", limit: maxBytes }),
      );
    }))
  );
  await assertRejects(() => boundedExchange(REQUEST, huge), Error, "the answer is larger than 262144 bytes");
  const denied = new SluiceError("EGRESS_DENIED", { reason: "refused" });
  const inside = deps(() => Promise.reject(new Error("connected")), () => Promise.reject(denied));
  assertEquals(await assertRejects(() => boundedExchange(REQUEST, inside), SluiceError), denied);
  const fine = deps(() => Promise.resolve(answer(() => Promise.resolve("{}"))));
  assertEquals(await boundedExchange(REQUEST, fine), {
    status: 200,
    contentType: "application/json",
    ...{ challenge: null, sessionId: null },
    text: "{}",
  });
  // A stream that does not end is not read.
  let dropped = 0;
  const stream: HttpResponse = {
    ...answer(() => new Promise(() => {})),
    header: (name) => name === "mcp-session-id" ? "s" : null,
    discard: () => void dropped++,
  };
  const head = await boundedExchange(
    { ...REQUEST, isHeadOnly: true },
    deps(() => Promise.resolve(stream)),
  );
  assertEquals([head, dropped], [
    { ...{ status: 200, contentType: null, challenge: null }, sessionId: "s", text: "" },
    1,
  ]);
});
