import { assertEquals } from "@std/assert";
import { isWorthWaiting, unavailable } from "./postgres_errors.ts";

Deno.test("isWorthWaiting() takes a host that cannot be found yet for no TLS mistake, whatever its name", () => {
  const reasons: [string, boolean][] = [
    ["getaddrinfo ENOTFOUND postgres-tls.example", true],
    ["connect ECONNREFUSED 10.0.0.1:5432", true],
    ["invalid peer certificate: UnknownIssuer", false],
    ["the server does not support TLS, which sslmode requires", false],
  ];
  for (const [reason, isWorth] of reasons) {
    const error = unavailable("postgres-tls.example:5432/d", reason, new Error(reason));
    assertEquals(isWorthWaiting(error), isWorth, reason);
  }
});
