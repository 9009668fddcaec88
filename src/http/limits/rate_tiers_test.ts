import { assertEquals } from "@std/assert";
import { principal } from "../../../tests/support/fakes.ts";
import { ANONYMOUS } from "../../auth/authenticate.ts";
import { callerOf, tierOf } from "./rate_tiers.ts";

const at = (hostname: string) => ({ remoteAddr: { transport: "tcp", hostname, port: 1 } as const });

Deno.test("tierOf() goes by what the endpoint speaks, else by the path, below /v1 too", () => {
  const rest = (path: string) => tierOf({ speaks: "rest" }, path);
  assertEquals(["/tokens", "/tokens/x", "/v1/tokens/revoked", "/admin/mcp-pool/metrics"].map(rest), [
    "high",
    "high",
    "high",
    "high",
  ]);
  assertEquals(["/tools", "/v1/gateways/1", "/servers/1", "/resources", "/v1/prompts"].map(rest), [
    "medium",
    "medium",
    "medium",
    "medium",
    "medium",
  ]);
  assertEquals(["/metrics/prometheus", "/version", "/v1/version", "/v1", "/toolset"].map(rest), [
    "low",
    "low",
    "low",
    "low",
    "low",
  ]);
  assertEquals(tierOf({ speaks: "json-rpc" }, "/rpc"), "medium");
  assertEquals(tierOf({ speaks: "rest", open: true }, "/health"), null);
  assertEquals(tierOf({ speaks: "json-rpc", open: true }, "/internal/forward"), null);
});

Deno.test("callerOf() is one for all tokens of a subject of an issuer, and no two of them are one", () => {
  const caller = (given: Parameters<typeof principal>[0]) => callerOf(principal(given), at("10.0.0.1"));
  assertEquals(caller({ jti: "1", teams: ["x"] }), caller({ jti: "2", isAdmin: true }));
  const others = [{}, { subject: "bob" }, { issuer: "other" }, { issuer: null }, { subject: "10.0.0.1" }];
  assertEquals(new Set(others.map(caller)).size, others.length);
});

Deno.test("callerOf() is the address of who has no token; of IPv6 the network that a host has", () => {
  const caller = (hostname: string) => callerOf(ANONYMOUS, at(hostname));
  assertEquals([caller("10.0.0.1"), caller("10.0.0.2")], ["10.0.0.1", "10.0.0.2"]);
  assertEquals(caller("2001:db8:1:2::1"), "20010db800010002::/64");
  assertEquals(caller("2001:db8:1:2:ffff:ffff:ffff:ffff"), caller("2001:db8:1:2::1"));
  assertEquals(caller("2001:db8:1:3::1") === caller("2001:db8:1:2::1"), false);
  assertEquals(caller("::ffff:10.0.0.1"), "10.0.0.1");
});
