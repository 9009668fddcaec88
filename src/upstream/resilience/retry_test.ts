import { assertEquals } from "@std/assert";
import { type ErrorCode, SluiceError } from "../../base/errors.ts";
import { isRepeatable, RetryBudget } from "./retry.ts";

function failure(code: ErrorCode, params: Record<string, string | number> = {}): SluiceError {
  return new SluiceError(code, { upstream: "u", ...params });
}

Deno.test("isRepeatable() repeats what certainly did not reach the upstream, whatever the method", () => {
  for (const method of ["tools/call", "tools/list", "logging/setLevel", "anything"]) {
    assertEquals(isRepeatable(failure("UPSTREAM_CONNECT_FAILED"), method), true, method);
    assertEquals(isRepeatable(failure("UPSTREAM_CLOSED", { sent: 0 }), method), true, method);
  }
});

Deno.test("isRepeatable() repeats what may have reached the upstream only where the method reads", () => {
  const reads = [
    "ping",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
  ];
  for (const method of reads) {
    assertEquals(isRepeatable(failure("UPSTREAM_CLOSED", { sent: 1 }), method), true, method);
  }
  for (const method of ["tools/call", "logging/setLevel", "resources/subscribe", "", "TOOLS/LIST"]) {
    assertEquals(isRepeatable(failure("UPSTREAM_CLOSED", { sent: 1 }), method), false, method);
  }
});

Deno.test("isRepeatable() repeats nothing after any other failure, not even a read", () => {
  const codes: ErrorCode[] = [
    "UPSTREAM_TIMEOUT",
    "UPSTREAM_TLS_FAILED",
    "UPSTREAM_HTTP_ERROR",
    "UPSTREAM_AUTH_FAILED",
    "UPSTREAM_PROTOCOL_ERROR",
    "UPSTREAM_RESPONSE_TOO_LARGE",
    "UPSTREAM_REJECTED",
    "UPSTREAM_SESSION_EXPIRED",
    "UPSTREAM_CIRCUIT_OPEN",
    "SESSION_POOL_TIMEOUT",
    "SESSION_POOL_FULL",
    "HTTP_POOL_TIMEOUT",
    "REQUEST_CANCELLED",
    "EGRESS_DENIED",
  ];
  for (const code of codes) assertEquals(isRepeatable(failure(code), "tools/list"), false, code);
  for (const thrown of [new Error("UPSTREAM_CONNECT_FAILED"), "UPSTREAM_CLOSED", null, undefined]) {
    assertEquals(isRepeatable(thrown, "tools/list"), false, String(thrown));
  }
});

Deno.test("isRepeatable() takes a closed connection that says nothing of what was sent for sent", () => {
  assertEquals(isRepeatable(failure("UPSTREAM_CLOSED"), "tools/call"), false);
});

Deno.test("RetryBudget.spend() gives the reserve, then no more than a fifth of the calls", () => {
  const budget = new RetryBudget();
  let spent = 0;
  while (budget.spend()) spent++;
  assertEquals(spent, 10);
  for (let call = 0; call < 1_000; call++) {
    budget.earn();
    if (budget.spend()) spent++;
  }
  // 0.2 is not exact in binary: the two hundredth may be a call late.
  assertEquals([spent - 10 === 200 || spent - 10 === 199, budget.spend() && budget.spend()], [true, false]);
});

Deno.test("RetryBudget.earn() saves no more than the reserve", () => {
  const budget = new RetryBudget();
  for (let call = 0; call < 10_000; call++) budget.earn();
  let spent = 0;
  while (budget.spend()) spent++;
  assertEquals(spent, 10);
});
