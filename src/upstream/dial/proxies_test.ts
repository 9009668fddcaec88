import { assert, assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { Proxies, type ProxySettings } from "./proxies.ts";

function proxiesOf(more: Partial<ProxySettings>): Proxies {
  return new Proxies({
    httpProxy: null,
    httpsProxy: null,
    allProxy: null,
    noProxy: [],
    proxyResolvesNames: false,
    ...more,
  });
}

const [PLAIN, TLS] = [{ tls: false, hostname: "up.test", port: 80 }, {
  tls: true,
  hostname: "up.test",
  port: 443,
}];

Deno.test("Proxies.for() chooses by the scheme, and falls back to ALL_PROXY", () => {
  const settings = (more: Partial<ProxySettings>) => {
    const proxies = proxiesOf(more);
    return [proxies.for(PLAIN)?.setting ?? null, proxies.for(TLS)?.setting ?? null];
  };
  const [httpProxy, httpsProxy, allProxy] = ["http://a:1", "https://b:2", "http://c:3"];
  assertEquals(settings({}), [null, null]);
  assertEquals(settings({ httpProxy }), ["HTTP_PROXY", null]);
  assertEquals(settings({ httpsProxy, allProxy }), ["ALL_PROXY", "HTTPS_PROXY"]);
  assertEquals(settings({ allProxy }), ["ALL_PROXY", "ALL_PROXY"]);
});

Deno.test("Proxies reads a proxy's scheme, host, port and credentials from its URL", () => {
  const read = (url: string) => {
    const { tls, hostname, port, authorization } = proxiesOf({ httpProxy: url }).for(PLAIN)!;
    return [tls, hostname, port, authorization];
  };
  assertEquals(read("http://proxy.test"), [false, "proxy.test", 80, null]);
  assertEquals(read("https://proxy.test/"), [true, "proxy.test", 443, null]);
  assertEquals(read("http://[::1]:3128"), [false, "::1", 3128, null]);
  assertEquals(read("http://me:p%40ss%3Aw%C3%B6rd@proxy.test:8080")[3], "Basic bWU6cEBzczp3w7ZyZA==");
  assertEquals(read("http://me@proxy.test")[3], `Basic ${btoa("me:")}`);
});

Deno.test("Proxies refuses a kind of proxy that it does not speak to, if a scheme needs it, and shows no password", () => {
  const allProxy = "socks5://me:hush@proxy.test:1080";
  const { code, message } = assertThrows(() => proxiesOf({ allProxy }), SluiceError);
  assertEquals(
    [code, message],
    [
      "SETTINGS_INVALID",
      "ALL_PROXY must be an http or https URL; the gateway speaks to no other kind of proxy",
    ],
  );
  const unused = proxiesOf({ allProxy, httpProxy: "http://a:1", httpsProxy: "http://b:2" });
  assertEquals(unused.for(TLS)?.setting, "HTTPS_PROXY");
});

Deno.test("NO_PROXY covers a host with its subdomains, addresses, networks, and one port if it names one", () => {
  const isDirect = (entry: string, hostname: string, port = 443) =>
    proxiesOf({ allProxy: "http://proxy:1", noProxy: ["other.test", entry] })
      .for({ tls: true, hostname, port }) === null;
  const covered: [entry: string, hostname: string, port?: number][] = [
    ["*", "up.test"],
    ["up.test", "up.test"],
    ["up.test", "UP.test."],
    ["up.test", "a.b.up.test"],
    [".up.test", "up.test"],
    [".up.test", "a.up.test"],
    ["*.up.test", "a.up.test"],
    ["Up.Test.", "up.test"],
    ["up.test:8443", "up.test", 8443],
    ["10.1.2.3", "10.1.2.3"],
    ["10.1.2.3:81", "10.1.2.3", 81],
    ["10.0.0.0/8", "10.1.2.3"],
    ["fd00::/8", "fd00::1"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["[::1]:81", "::1", 81],
    ["localhost", "localhost"],
  ];
  for (const [entry, hostname, port] of covered) {
    assert(isDirect(entry, hostname, port), `${entry} covers ${hostname}`);
  }
  const others: [entry: string, hostname: string, port?: number][] = [
    ["up.test", "notup.test"],
    ["up.test", "up.test.evil"],
    ["up.test:8443", "up.test", 443],
    ["10.1.2.3", "10.1.2.4"],
    ["10.1.2.3:81", "10.1.2.3", 80],
    ["2.3", "10.1.2.3"],
    ["10.0.0.0/8", "10.test"],
    ["10.0.0.0/8", "11.0.0.1"],
    ["fd00::/8", "fe00::1"],
    ["[::1]:81", "::1", 80],
  ];
  for (const [entry, hostname, port] of others) {
    assert(!isDirect(entry, hostname, port), `${entry} does not cover ${hostname}`);
  }
});

Deno.test("Proxies.resolveNameOf() is true for a URL whose name a proxy resolves", () => {
  const proxies = proxiesOf({ httpsProxy: "http://p:1", noProxy: ["in.test"], proxyResolvesNames: true });
  const urls = ["https://up.test/", "wss://up.test/", "https://in.test/", "http://up.test/", "ws://up.test/"];
  assertEquals(urls.map((url) => proxies.resolveNameOf(new URL(url))), [true, true, false, false, false]);
  assertEquals(proxiesOf({ httpsProxy: "http://p:1" }).resolveNameOf(new URL("https://up.test/")), false);
});
