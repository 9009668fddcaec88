import { assertEquals, assertRejects } from "@std/assert";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { Cancellation } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import type { RequestHeaders, Serve } from "../../downstream/exchange/mcp_exchange.ts";
import type { ForwardedCall, LiveCall } from "../../upstream/bound/forwarded_call.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { UpstreamCalls } from "./upstream_calls.ts";

type ServeUpstream = (call: ForwardedCall, params: string | undefined, live: LiveCall) => Promise<RpcAnswer>;

const CALL: ForwardedCall = {
  upstreamId: "u",
  tenant: "caller x",
  capabilities: undefined,
  clientCapabilities: undefined,
  isAskable: true,
  method: "tools/call",
  revision: "2026-07-28",
  token: { issuer: "i", subject: "ann", reach: "", user: "u@x.example" },
  passed: [],
  timeoutMs: 1_000,
  timeoutSetting: "TOOL_TIMEOUT",
};

/** A worker that forwards every call to another one, where `upstream` serves it. */
function pair(upstream: ServeUpstream) {
  const shared = {
    callers: () => ({ of: () => undefined }),
    predecessor: () => null,
    refresh: () => Promise.resolve(),
  };
  const owner = new UpstreamCalls({
    tracer: null,
    ...shared,
    wayHere: () => null,
    wayTo: () => null,
    upstreams: () => ({ forCallUnderWay: () => ({ serve: upstream }) as unknown as Upstream }),
  });
  const way: Serve = (request, signal) => owner.serve(structured(request), signal);
  const asker = new UpstreamCalls({
    tracer: null,
    ...shared,
    wayHere: () => null,
    wayTo: () => way,
    upstreams: () => {
      throw new Error("not here");
    },
  });
  return asker.wayTo(CALL)!;
}

/** The request as it crosses between workers: plain data, but for its headers. */
function structured<T extends { readonly headers: RequestHeaders }>({ headers, ...rest }: T): T {
  return { ...JSON.parse(JSON.stringify(rest)), headers };
}

Deno.test("UpstreamCalls forwards a call with its params, and returns the answer as it came", async () => {
  const seen: unknown[] = [];
  const call = pair((forwarded, params) => {
    seen.push(forwarded.method, forwarded.token, params);
    return Promise.resolve({ text: '{\n"n": 1.0}', failed: seen.length > 3 });
  });
  assertEquals(await call(CALL, '{"x": 1.0}', {}), { text: '{ "n": 1.0}', failed: false });
  assertEquals(await call(CALL, undefined, {}), { text: '{ "n": 1.0}', failed: true });
  assertEquals(seen, ["tools/call", CALL.token, '{"x": 1.0}', "tools/call", CALL.token, undefined]);
});

Deno.test("UpstreamCalls passes on why a call failed", async () => {
  const call = pair(() => Promise.reject(new SluiceError("UPSTREAM_CLOSED", { upstream: "u", sent: 1 })));
  const error = await assertRejects(() => call(CALL, "{}", {}), SluiceError);
  assertEquals([error.code, error.params.sent], ["UPSTREAM_CLOSED", 1]);
});

Deno.test("UpstreamCalls brings notifications and questions to the client, and its answers back", async () => {
  const heard: string[] = [];
  const call = pair(async (_call, _params, { client }) => {
    client!.notify('{"jsonrpc":"2.0","method":"notifications/progress"}');
    const signal = new Cancellation();
    const answer = await client!.request!("roots/list", '{"a":1}', { signal, onProgress: () => {} });
    return { text: answer.text, failed: answer.failed };
  });
  const client = {
    notify: (text: string) => void heard.push(text),
    request: (method: string, params: string | undefined) =>
      Promise.resolve({ text: `{"asked":"${method}","with":${params}}`, failed: false }),
  };
  assertEquals(await call(CALL, "{}", { client }), {
    text: '{"asked":"roots/list","with":{"a":1}}',
    failed: false,
  });
  assertEquals(heard, ['{"jsonrpc":"2.0","method":"notifications/progress"}']);
});

Deno.test("UpstreamCalls lets no upstream ask a client that cannot be asked", async () => {
  const call = pair((_call, _params, { client }) =>
    Promise.resolve({ text: String(client!.request === undefined), failed: false })
  );
  assertEquals((await call({ ...CALL, isAskable: false }, "{}", {})).text, "true");
});

Deno.test("UpstreamCalls cancels the call in the other worker when the client gives up, and a question that is withdrawn", async () => {
  const withdrawn = new Cancellation();
  const asked = Promise.withResolvers<void>();
  let reason: unknown;
  const call = pair(async (_call, _params, { client, signal }) => {
    const question = client!.request!("roots/list", undefined, { signal: withdrawn, onProgress: () => {} });
    await asked.promise;
    withdrawn.cancel(new Error("no more"));
    await question.catch(() => {});
    return await new Promise<RpcAnswer>((_, reject) =>
      signal!.addEventListener("abort", () => reject(reason = signal!.reason))
    );
  });
  const signal = new Cancellation();
  let isWithdrawn = false;
  const client: LiveCall["client"] = {
    notify: () => {},
    request: (_method, _params, { signal }) => {
      asked.resolve();
      return new Promise<RpcAnswer>((_, reject) =>
        signal.addEventListener("abort", () => (isWithdrawn = true, reject(signal.reason)))
      );
    },
  };
  const answer = call(CALL, "{}", { client, signal });
  answer.catch(() => {});
  await waitFor(() => isWithdrawn, { what: "the question to be withdrawn" });
  signal.cancel(new SluiceError("REQUEST_CANCELLED"));
  assertEquals((await assertRejects(() => answer, SluiceError)).code, "REQUEST_CANCELLED");
  await waitFor(() => reason !== undefined, { what: "the call to be cancelled" });
});
