import { assertEquals } from "@std/assert";
import type { ConnectionRow } from "../../store/upstream_tokens/connections.ts";
import { stateOfConnection } from "./connection_state.ts";

const NOW = 1_000_000_000;
const HOUR_MS = 3_600_000;

Deno.test("stateOfConnection() tells first what the person has to do now", () => {
  const stateOf = (row: Partial<ConnectionRow>) =>
    stateOfConnection({
      ...{ gatewayId: "g", owner: "ann@x.org", connectedAt: 0, expiresAt: NOW + HOUR_MS },
      ...{ isRenewable: false, fault: null, wantedScope: null, ...row },
    }, NOW);
  assertEquals(stateOfConnection(null, NOW), "none");
  assertEquals(stateOf({ isRenewable: true }), "connected");
  assertEquals(stateOf({ expiresAt: null }), "connected");
  assertEquals(stateOf({ expiresAt: NOW + 25 * HOUR_MS }), "connected");
  assertEquals(stateOf({}), "expires_soon");
  assertEquals(stateOf({ wantedScope: "more" }), "wants_scope");
  assertEquals(stateOf({ expiresAt: NOW, wantedScope: "more" }), "expired");
  assertEquals(stateOf({ expiresAt: NOW, isRenewable: true }), "connected");
  assertEquals(stateOf({ fault: "gone", wantedScope: "more" }), "lost");
});
