import { assertEquals, assertRejects } from "@std/assert";
import { EgressGuard } from "../base/egress/egress_guard.ts";
import { type ErrorCode, SluiceError } from "../base/errors.ts";
import { loadConfig } from "../config/load.ts";
import { adviceFor } from "./upstream_advice.ts";

Deno.test("each way in which a new upstream fails has advice", () => {
  const reasons: Readonly<Record<string, string>> = { UPSTREAM_CONNECT_FAILED: "connection refused" };
  for (
    const code of [
      ...["UPSTREAM_CONNECT_FAILED", "UPSTREAM_TLS_FAILED", "UPSTREAM_TIMEOUT", "UPSTREAM_AUTH_FAILED"],
      "UPSTREAM_PROTOCOL_ERROR",
    ] as ErrorCode[]
  ) {
    const params = {
      upstream: "u",
      reason: reasons[code] ?? "r",
      status: 404,
      phase: "start",
      timeoutMs: 1,
      setting: "S",
    };
    assertEquals([code, adviceFor(new SluiceError(code, params).message) !== null], [code, true]);
  }
  // A name that leads nowhere is found by the egress check, or by the dialling where the check allows such names.
  const reason = 'cannot resolve "nowhere" (no such name)';
  const unresolved = new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "u", reason });
  assertEquals(adviceFor(unresolved.message)?.startsWith("Correct the name."), true);
  assertEquals(adviceFor("something else"), null);
});

Deno.test("a denied address has the advice that fits: a setting allows it, or none does", async () => {
  const rules = loadConfig({ environment: {}, dotEnv: null, dev: false, overrides: {}, cores: 2 }).config;
  const guard = new EgressGuard(rules);
  const adviceAt = async (url: string) =>
    adviceFor((await assertRejects(() => guard.checkUrl(url), SluiceError)).message);
  for (const host of ["127.0.0.1", "10.0.0.1", "[fc00::1]", "192.0.2.1"]) {
    assertEquals((await adviceAt(`http://${host}/`))?.includes("allows this one"), true, host);
  }
  for (const host of ["169.254.169.254", "169.254.0.1", "[fe80::1]"]) {
    assertEquals((await adviceAt(`http://${host}/`))?.startsWith("No setting allows"), true, host);
  }
});
