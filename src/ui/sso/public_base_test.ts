import { assertEquals, assertThrows } from "@std/assert";
import { TrustedProxies } from "../../base/egress/trusted_proxies.ts";
import { SluiceError } from "../../base/errors.ts";
import { ownPath, PublicBase } from "./public_base.ts";

Deno.test("PublicBase is the setting, else what the request and a trusted proxy say", () => {
  const base = (configured: string | null, headers: Record<string, string>, from = "10.0.0.1") =>
    new PublicBase({
      configured,
      trustedProxies: new TrustedProxies(["10.0.0.1"]),
      prefixOf: (given) => given.get("x-prefix"),
    }).of({ url: "http://internal:4444/x", headers: new Headers(headers) }, from);
  const proxied = { host: "internal:4444", "x-forwarded-proto": "https", "x-forwarded-host": "g.example" };
  assertEquals(base("https://set.example/g", proxied), "https://set.example/g");
  assertEquals(base(null, proxied), "https://g.example");
  assertEquals(base(null, { ...proxied, "x-prefix": "/gateway" }), "https://g.example/gateway");
  assertEquals(base(null, proxied, "192.0.2.1"), "http://internal:4444");
  assertThrows(() => base(null, { ...proxied, "x-forwarded-proto": "javascript" }), SluiceError);
});

Deno.test("ownPath() is a path of the same origin, however browsers read it", () => {
  const own = (path: string) => ownPath(path, "https://g.example/gateway");
  assertEquals(own("/admin/tools?x=1#y"), "/admin/tools?x=1#y");
  assertEquals(own("/a/../b"), "/b");
  for (
    const path of [
      ...[
        "",
        "admin",
        "//evil",
        "/\\evil",
        "\\\\evil",
        "https://evil",
        "/\t/evil",
        "/\n/evil",
        "javascript:x",
      ],
      ...["/a/..//evil", "/.//evil", "/%2e//evil", "/gateway/admin/../..//evil"],
      ...["/a\\b", `/${"a".repeat(2_001)}`, "?x", "#x", " /a"],
    ]
  ) assertEquals(own(path), null, path);
});
