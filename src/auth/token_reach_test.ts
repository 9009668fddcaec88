import { assertEquals, assertNotEquals } from "@std/assert";
import { principal } from "../../tests/support/fakes.ts";
import { ANONYMOUS } from "./authenticate.ts";
import { reachKey, tokenOf } from "./token_reach.ts";

Deno.test("reachKey() tells tokens apart that are narrowed differently, and no others", () => {
  const whole = principal({ teams: ["t1", "t2"] });
  const same = [
    { ...whole, jti: "other", expiresAt: 1 },
    { ...whole, teams: ["t2", "t1", "t1"] },
    { ...whole, permissions: ["tools.read", "*"] },
  ];
  for (const other of same) assertEquals(reachKey(other), reachKey(whole));
  const narrowed = [
    { ...whole, serverId: "s1" },
    { ...whole, serverId: "s2" },
    { ...whole, permissions: ["tools.read"] },
    { ...whole, permissions: [] },
    { ...whole, teams: ["t1"] },
    { ...whole, teams: [] },
  ];
  const keys = [whole, ...narrowed].map(reachKey);
  assertEquals(new Set(keys).size, keys.length);
  const ordered = [["tools.read", "prompts.read"], ["prompts.read", "tools.read"]];
  assertEquals(new Set(ordered.map((permissions) => reachKey({ ...whole, permissions }))).size, 1);
});

Deno.test("tokenOf() gives the limits of a token, and null without one", () => {
  assertEquals(tokenOf(ANONYMOUS), null);
  assertNotEquals(tokenOf(principal()), tokenOf(principal({ serverId: "s1" })));
  assertEquals(tokenOf(principal()), tokenOf(principal({ jti: "renewed" })));
});
