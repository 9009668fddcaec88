import { assert, assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { Proxies, type ProxySettings } from "./proxies.ts";
import { TargetCache, targetOf } from "./target.ts";

function proxiesOf(more: Partial<ProxySettings> = {}): Proxies {
  return new Proxies({
    httpProxy: "http://me:hush@proxy.test:3128",
    httpsProxy: "http://proxy.test:3129",
    allProxy: null,
    noProxy: [],
    proxyResolvesNames: false,
    ...more,
  });
}

function parts(url: string) {
  const { tls, hostname, isIpLiteral, port, host, requestTarget } = targetOf(new URL(url));
  return [tls, hostname, isIpLiteral, port, host, requestTarget];
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

function proxied(url: string, more: Partial<ProxySettings> = {}) {
  const target = targetOf(new URL(url), undefined, proxiesOf(more));
  return [target.proxy?.setting ?? null, target.isForwarded, target.requestTarget, target.proxyAuthorization];
}

Deno.test("targetOf() lets a proxy read a request only without TLS, and if the gateway need not resolve the name", () => {
  const authorization = `Basic ${btoa("me:hush")}`;
  assertEquals(proxied("http://up.test/a?b"), ["HTTP_PROXY", false, "/a?b", null]);
  assertEquals(proxied("http://192.0.2.1:81/a?b"), [
    "HTTP_PROXY",
    true,
    "http://192.0.2.1:81/a?b",
    authorization,
  ]);
  const resolved = { proxyResolvesNames: true };
  assertEquals(proxied("http://up.test/", resolved), ["HTTP_PROXY", true, "http://up.test/", authorization]);
  assertEquals(proxied("https://up.test/a", resolved), ["HTTPS_PROXY", false, "/a", null]);
  assertEquals(proxied("https://192.0.2.1/a"), ["HTTPS_PROXY", false, "/a", null]);
  assertEquals(proxied("http://up.test/a", { noProxy: ["up.test"] }), [null, false, "/a", null]);
});
