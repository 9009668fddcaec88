import { assert, assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { TargetCache, targetOf } from "./target.ts";

function parts(url: string) {
  const { tls, hostname, isIpLiteral, port, host, path } = targetOf(new URL(url));
  return [tls, hostname, isIpLiteral, port, host, path];
}

Deno.test("targetOf() reads hosts, default ports, IP literals and paths", () => {
  assertEquals(parts("http://up.test/"), [false, "up.test", false, 80, "up.test", "/"]);
  assertEquals(parts("http://up.test:80/a"), [false, "up.test", false, 80, "up.test", "/a"]);
  assertEquals(parts("https://up.test:8443/a?b"), [true, "up.test", false, 8443, "up.test:8443", "/a?b"]);
  assertEquals(parts("https://[2001:db8::1]:9/"), [true, "2001:db8::1", true, 9, "[2001:db8::1]:9", "/"]);
  assertEquals(parts("http://0x7f.1/"), [false, "127.0.0.1", true, 80, "127.0.0.1", "/"]);
  assertEquals(parts("http://a/x%2Fy%20z?q=%C3%A9#f")[5], "/x%2Fy%20z?q=%C3%A9");
});

Deno.test("targetOf() refuses credentials in the URL and other schemes, and shows neither", () => {
  for (const url of ["http://me@up.test/", "http://:hunter2@up.test/", "ftp://up.test/"]) {
    const error = assertThrows(() => targetOf(new URL(url)), SluiceError);
    assertEquals(error.code, "EGRESS_DENIED");
    assert(!error.message.includes("hunter2"));
  }
});

Deno.test("targetOf() lets requests share a connection only with the same scheme, host, port and trust", () => {
  const key = (url: string, ca?: string) => targetOf(new URL(url), ca).key;
  assertEquals(key("https://a/x"), key("https://a:443/y"));
  const keys = [
    key("https://a/"),
    key("http://a/"),
    key("https://a:1/"),
    key("https://b/"),
    key("https://a/", "CA"),
  ];
  assertEquals(new Set(keys).size, 5);
});

Deno.test("TargetCache.get() notices that a URL was changed", () => {
  const cache = new TargetCache();
  const url = new URL("http://a/");
  const first = cache.get(url, undefined);
  assert(cache.get(url, undefined) === first);
  url.host = "b";
  assertEquals(cache.get(url, undefined).hostname, "b");
  assertEquals(cache.get(url, "CA").caCertificate, "CA");
});
