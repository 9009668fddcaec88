import { assertEquals } from "@std/assert";
import { networkOf, TrustedProxies } from "./trusted_proxies.ts";

const forwarded = (value: string) => new Headers({ "x-forwarded-for": value });

Deno.test("TrustedProxies.clientOf() believes the headers of trusted proxies only", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8", "::1"]);
  const cases: [header: string | null, peer: string, client: string][] = [
    [null, "192.0.2.7", "192.0.2.7"],
    // A client cannot give itself another address.
    ["203.0.113.9", "192.0.2.7", "192.0.2.7"],
    ["203.0.113.9", "10.1.1.1", "203.0.113.9"],
    ["203.0.113.9", "::1", "203.0.113.9"],
    // What stands before the last untrusted address was written by that client.
    ["198.51.100.1, 203.0.113.9, 10.2.2.2", "10.1.1.1", "203.0.113.9"],
    ["10.3.3.3, 10.2.2.2", "10.1.1.1", "10.3.3.3"],
    ["unknown", "10.1.1.1", "10.1.1.1"],
    ["", "10.1.1.1", "10.1.1.1"],
    // A proxy with a dual-stack socket writes IPv4 clients so, and itself in front of another proxy.
    ["::ffff:203.0.113.9", "10.1.1.1", "203.0.113.9"],
    ["::FFFF:203.0.113.9, ::ffff:10.2.2.2", "10.1.1.1", "203.0.113.9"],
    ["2001:db8:1:2:3:4:5:6", "10.1.1.1", "20010db800010002::/64"],
  ];
  for (const [header, peer, client] of cases) {
    const headers = header === null ? new Headers() : forwarded(header);
    assertEquals([header, peer, proxies.clientOf(headers, peer)], [header, peer, client]);
  }
  assertEquals(new TrustedProxies([]).clientOf(forwarded("203.0.113.9"), "10.1.1.1"), "10.1.1.1");
  assertEquals(
    new TrustedProxies(["*"]).clientOf(forwarded("203.0.113.9, 10.1.1.1"), "10.2.2.2"),
    "203.0.113.9",
  );
});

Deno.test("TrustedProxies.originOf() is what a trusted proxy forwards, else what the request says", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8"]);
  const origin = (headers: Record<string, string>, peer = "10.1.1.1") =>
    proxies.originOf({ url: "http://internal:4444/x", headers: new Headers(headers) }, peer);
  const proxied = {
    host: "internal",
    "x-forwarded-proto": "https, http",
    "x-forwarded-host": "g.example:8443, b",
  };
  assertEquals(origin(proxied), { scheme: "https", host: "g.example:8443" });
  assertEquals(origin(proxied, "192.0.2.1"), { scheme: "http", host: "internal" });
  assertEquals(origin({}), { scheme: "http", host: "internal:4444" });
});

Deno.test("networkOf() counts a network of IPv6 as one client", () => {
  assertEquals(networkOf("2001:db8::1"), networkOf("2001:db8::ffff:1"));
  assertEquals(networkOf("192.0.2.1"), "192.0.2.1");
});
