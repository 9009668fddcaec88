import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../errors.ts";
import { EgressGuard, type EgressRules, resolveHost } from "./egress_guard.ts";

const STRICT: EgressRules = {
  ssrfProtectionEnabled: true,
  ssrfAllowLocalhost: false,
  ssrfAllowPrivateNetworks: false,
  ssrfAllowedNetworks: [],
  ssrfBlockedNetworks: ["169.254.0.0/16", "fe80::/10", "100.64.0.0/10"],
  ssrfBlockedHosts: ["metadata.google.internal"],
  ssrfDnsFailClosed: true,
};

const PERMISSIVE: EgressRules = {
  ...STRICT,
  ssrfAllowLocalhost: true,
  ssrfAllowPrivateNetworks: true,
  ssrfAllowedNetworks: ["0.0.0.0/0", "::/0"],
  ssrfBlockedNetworks: [],
  ssrfBlockedHosts: [],
};

/** Every name has these addresses. */
const resolvesTo = (...addresses: string[]) => () => Promise.resolve(addresses);

const unresolvable = () => Promise.reject(new Error("getaddrinfo ENOTFOUND"));

/** The reason of the refusal; null where the URL is allowed. */
async function refusal(
  rules: EgressRules,
  url: string,
  resolve = resolvesTo("93.184.215.14"),
): Promise<string | null> {
  try {
    await new EgressGuard(rules).checkUrl(url, resolve);
    return null;
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "EGRESS_DENIED") throw error;
    return error.message;
  }
}

Deno.test("EgressGuard.checkUrl() names the address, its kind and the setting that would allow it", async () => {
  assertEquals(
    await refusal(STRICT, "http://localhost:9000/mcp?token=hush", resolvesTo("127.0.0.1")),
    'refused "http://localhost:9000/mcp": 127.0.0.1 is a loopback address (SSRF_ALLOW_LOCALHOST=true would allow it)',
  );
  assertEquals(
    await refusal(STRICT, "http://10.1.2.3/"),
    'refused "http://10.1.2.3/": 10.1.2.3 is a private address ' +
      "(SSRF_ALLOW_PRIVATE_NETWORKS=true, or its network in SSRF_ALLOWED_NETWORKS, would allow it)",
  );
  assertEquals(
    await refusal(STRICT, "http://cgnat.example/", resolvesTo("100.64.1.1")),
    'refused "http://cgnat.example/": 100.64.1.1 is in 100.64.0.0/10, which SSRF_BLOCKED_NETWORKS refuses',
  );
  assertEquals(
    await refusal(STRICT, "http://169.254.169.254/latest"),
    'refused "http://169.254.169.254/latest": 169.254.169.254 is a cloud metadata address, which is never allowed',
  );
});

Deno.test("EgressGuard.checkUrl() sees through every spelling of a refused address", async () => {
  const loopback = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://127.0.0.1./",
    "http://①②⑦.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "HTTPS://127.0.0.1:8443/",
  ];
  for (const url of loopback) {
    const reason = await refusal(STRICT, url, unresolvable);
    assertEquals([url, reason?.includes("is a loopback address")], [url, true]);
    assertEquals([url, await refusal({ ...STRICT, ssrfAllowLocalhost: true }, url)], [url, null]);
  }
});

Deno.test("EgressGuard.checkUrl() keeps some addresses refused whatever is allowed", async () => {
  const urls = [
    "http://169.254.169.254/",
    "http://[::ffff:169.254.169.254]/",
    "http://2852039166/",
    "http://169.254.1.1/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
  ];
  for (const url of urls) {
    assertEquals([url, (await refusal(PERMISSIVE, url))?.includes("never allowed")], [url, true]);
    const unprotected = await refusal({ ...PERMISSIVE, ssrfProtectionEnabled: false }, url);
    assertEquals([url, unprotected?.includes("never allowed")], [url, true]);
  }
  for (
    const url of [
      "http://0.0.0.0/",
      "http://0/",
      "http://[::]/",
      "http://224.0.0.1/",
      "http://255.255.255.255/",
    ]
  ) {
    assertEquals([url, (await refusal(PERMISSIVE, url))?.includes("never allowed")], [url, true]);
  }
});

Deno.test("EgressGuard.checkUrl() refuses a name of which one address is refused", async () => {
  const reason = await refusal(STRICT, "http://two.example/", resolvesTo("93.184.215.14", "192.168.1.1"));
  assertEquals(reason?.includes("192.168.1.1 is a private address"), true);
});

Deno.test("EgressGuard.checkUrl() gives the addresses that it checked", async () => {
  const guard = new EgressGuard(STRICT);
  assertEquals(await guard.checkUrl("https://a.example/", resolvesTo("1.1.1.1", "2606:4700::1")), [
    "1.1.1.1",
    "2606:4700::1",
  ]);
  assertEquals(await guard.checkUrl(new URL("https://[2606:4700::1]/")), ["2606:4700::1"]);
});

Deno.test("EgressGuard.checkUrl() allows networks by name, blocked ones excepted", async () => {
  const rules = { ...STRICT, ssrfAllowedNetworks: ["10.20.0.0/16", "192.0.2.0/24"] };
  assertEquals(await refusal(rules, "http://10.20.1.1/"), null);
  assertEquals(await refusal(rules, "http://[::ffff:10.20.1.1]/"), null);
  assertEquals(await refusal(rules, "http://192.0.2.1/"), null);
  assertEquals((await refusal(rules, "http://10.21.1.1/"))?.includes("private address"), true);
  const blocked = { ...rules, ssrfBlockedNetworks: ["10.20.1.0/24"] };
  assertEquals((await refusal(blocked, "http://10.20.1.1/"))?.includes("in 10.20.1.0/24"), true);
  assertEquals((await refusal(blocked, "http://[::ffff:10.20.1.1]/"))?.includes("in 10.20.1.0/24"), true);
  const publicBlocked = { ...STRICT, ssrfBlockedNetworks: ["93.184.0.0/16"] };
  assertEquals((await refusal(publicBlocked, "http://a.example/"))?.includes("SSRF_BLOCKED_NETWORKS"), true);
});

Deno.test("EgressGuard.checkUrl() refuses blocked hosts in any spelling, before it resolves them", async () => {
  for (const host of ["metadata.google.internal", "METADATA.google.internal", "metadata.google.internal."]) {
    const reason = await refusal(
      STRICT,
      `http://${host}/`,
      () => Promise.reject(new Error("must not be asked")),
    );
    assertEquals([host, reason?.includes('SSRF_BLOCKED_HOSTS refuses "metadata.google.internal"')], [
      host,
      true,
    ]);
  }
  assertEquals(await refusal(STRICT, "http://not-metadata.google.internal/"), null);
});

Deno.test("EgressGuard.checkUrl() resolves localhost and its dotted form like any name", async () => {
  for (const host of ["localhost", "localhost.", "LOCALHOST", "app.localhost"]) {
    const reason = await refusal(STRICT, `http://${host}/`, resolvesTo("::1"));
    assertEquals([host, reason?.includes("::1 is a loopback address")], [host, true]);
  }
});

Deno.test("EgressGuard.checkUrl() fails closed where a name cannot be resolved, unless told otherwise", async () => {
  for (const resolve of [unresolvable, resolvesTo()]) {
    const reason = await refusal(STRICT, "http://nowhere.example/", resolve);
    assertEquals(
      reason?.endsWith("Correct the name; if only a proxy can resolve it, set PROXY_RESOLVES_NAMES=true"),
      true,
    );
    assertEquals(
      await refusal({ ...STRICT, ssrfDnsFailClosed: false }, "http://nowhere.example/", resolve),
      null,
    );
  }
});

Deno.test("EgressGuard.checkUrl() takes http, https and their WebSockets without credentials only, and shows neither query nor credentials", async () => {
  const urls = [
    "file:///etc/passwd",
    "ftp://a.example/",
    "gopher://a.example/",
    "data:text/plain,hush",
    "http://user:hush@a.example/?key=hush",
    "http://hush@a.example/",
    "http://",
    "not a url hush",
    "/mcp",
  ];
  for (const url of urls) {
    const reason = await refusal(PERMISSIVE, url);
    assertEquals([url, reason !== null, reason?.startsWith("refused")], [url, true, true]);
    assertEquals([url, reason?.includes("hush")], [url, false]);
  }
});

Deno.test("EgressGuard.checkUrl() without protection allows local addresses and unresolved names", async () => {
  const rules = { ...STRICT, ssrfProtectionEnabled: false };
  assertEquals(await refusal(rules, "http://127.0.0.1/"), null);
  assertEquals(await refusal(rules, "http://10.0.0.1/"), null);
  assertEquals(await refusal(rules, "http://nowhere.example/", unresolvable), null);
});

Deno.test("EgressGuard.checkAddress() refuses what is no address", () => {
  assertThrows(
    () => new EgressGuard(PERMISSIVE).checkAddress("a.example", "a.example"),
    SluiceError,
    "cannot be read",
  );
  new EgressGuard(STRICT).checkAddress("a.example", "93.184.215.14");
});

Deno.test("EgressGuard() takes no network that it cannot read", () => {
  assertThrows(
    () => new EgressGuard({ ...STRICT, ssrfBlockedNetworks: ["10.0.0.0/99"] }),
    TypeError,
    "10.0.0.0/99",
  );
});

Deno.test("resolveHost() gives the addresses of localhost", async () => {
  const addresses = await resolveHost("localhost");
  assertEquals(addresses.length > 0 && addresses.every((ip) => ["127.0.0.1", "::1"].includes(ip)), true);
});

Deno.test("EgressGuard.checkUrl() without a resolver checks literal addresses and refused hosts alone", async () => {
  const guard = new EgressGuard(STRICT);
  assertEquals(await guard.checkUrl("https://only-the-proxy-knows.test/", null), []);
  for (const url of ["http://169.254.169.254/", "http://10.0.0.1/", "http://metadata.google.internal/"]) {
    const error = await guard.checkUrl(url, null).catch((error) => error);
    assertEquals(error.code, "EGRESS_DENIED", url);
  }
});
