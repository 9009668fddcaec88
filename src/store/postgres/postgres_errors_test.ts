import { assertEquals } from "@std/assert";
import { connectReason, connectRemedy, isWorthWaiting, NO_TLS, unavailable } from "./postgres_errors.ts";

Deno.test("isWorthWaiting() takes a host that cannot be found yet for no TLS mistake, whatever its name", () => {
  const reasons: [string, boolean][] = [
    ["getaddrinfo ENOTFOUND postgres-tls.example", true],
    ["connect ECONNREFUSED 10.0.0.1:5432", true],
    ["invalid peer certificate: UnknownIssuer", false],
    [NO_TLS, false],
  ];
  for (const [reason, isWorth] of reasons) {
    const error = unavailable("postgres-tls.example:5432/d", reason, new Error(reason));
    assertEquals(isWorthWaiting(error), isWorth, reason);
  }
});

Deno.test("connectReason() and connectRemedy() say why there is no connection, once, and what to do", () => {
  const location = "db.example:5432/d";
  const rows: [reason: string, shown: string, remedy: string][] = [
    ["connect ECONNREFUSED 10.0.0.1:5432", "nothing listens there", "Start the server"],
    ["getaddrinfo ENOTFOUND db.example", "the host name cannot be resolved", "Correct the host"],
    ["no answer within 1000 ms", "no answer within 1000 ms", "Start the server"],
    [NO_TLS, NO_TLS, "Switch TLS on"],
    [
      "invalid peer certificate: UnknownIssuer",
      "invalid peer certificate: UnknownIssuer",
      "Name the authority",
    ],
  ];
  for (const [reason, shown, remedy] of rows) {
    // With and without the driver's error below ours.
    for (const error of [unavailable(location, reason), unavailable(location, reason, new Error(reason))]) {
      assertEquals(connectReason(error, location), shown);
      assertEquals(connectRemedy(error).startsWith(remedy), true, connectRemedy(error));
    }
  }
});
