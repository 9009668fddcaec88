import { TrustedProxies } from "../../base/egress/trusted_proxies.ts";
import { assertEquals } from "@std/assert";
import { PublicPrefix } from "./public_prefix.ts";

const prefix = new PublicPrefix({
  rootPath: "/root",
  trustedProxies: new TrustedProxies(["10.0.0.0/8", "::1"]),
});
const given = (value: string) => new Headers({ "x-forwarded-prefix": value });

Deno.test("PublicPrefix.of() believes trusted proxies, and falls back to the configured path", () => {
  assertEquals(prefix.of(given("/gw"), "10.1.2.3"), "/gw");
  assertEquals(prefix.of(given("/a/b-c/"), "::1"), "/a/b-c");
  assertEquals(prefix.of(given("/gw"), "192.0.2.1"), "/root");
  assertEquals(prefix.of(new Headers(), "10.1.2.3"), "/root");
  const open = new PublicPrefix({ rootPath: "", trustedProxies: new TrustedProxies(["*"]) });
  assertEquals([open.of(given("/gw"), "192.0.2.1"), open.of(new Headers(), "192.0.2.1")], ["/gw", null]);
});

Deno.test("PublicPrefix.of() takes no prefix that would lead to another host or break the event", () => {
  for (
    const value of ["//evil.example", "/a//b", "gw", "http://evil.example", "/a?b", "/a b", "/", "", "/%2f"]
  ) {
    assertEquals(prefix.of(given(value), "10.1.2.3"), "/root", value);
  }
});
