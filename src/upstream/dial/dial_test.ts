import { assert, assertEquals, assertRejects } from "@std/assert";
import { isError, SluiceError } from "../../base/errors.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { dial, type DialOptions } from "./dial.ts";
import { Proxies, type ProxySettings } from "./proxies.ts";
import { targetOf } from "./target.ts";

type Connect = NonNullable<DialOptions["connect"]>;

function fakeConn() {
  const conn = { closed: false, close: () => conn.closed = true, setNoDelay() {} };
  return conn;
}

function dialOf(
  options: {
    addresses?: string[];
    connect?: Connect;
    denied?: string;
    url?: string;
    proxies?: Partial<ProxySettings>;
  },
) {
  const clock = new FakeClock();
  const tried: string[] = [];
  const checked: string[] = [];
  const abort = new AbortController();
  const { addresses = [], connect = () => new Promise(() => {}) } = options;
  const proxies = options.proxies === undefined ? null : new Proxies({
    httpProxy: "http://proxy.test:3128",
    httpsProxy: null,
    allProxy: null,
    noProxy: [],
    proxyResolvesNames: false,
    ...options.proxies,
  });
  const target = targetOf(new URL(options.url ?? "http://up.test/"), undefined, proxies);
  const request = { upstream: "up", signal: abort.signal, alpnProtocols: ["http/1.1"] };
  const result = dial(target, request, {
    clock,
    connectTimeoutMs: 4_000,
    resolve: (hostname) => Promise.resolve(hostname === "proxy.test" ? ["198.51.100.1"] : addresses),
    checkAddress: (hostname, ip, upstream) => {
      checked.push(`${hostname} ${ip} ${upstream}`);
      if (ip === options.denied) throw new SluiceError("EGRESS_DENIED", { reason: "no" });
    },
    connect: (to) => (tried.push(to.hostname), connect(to)),
  });
  result.catch(() => {});
  return { clock, tried, checked, abort, result };
}

const refuse = () => Promise.reject(new Deno.errors.ConnectionRefused("Connection refused (os error 111)"));

Deno.test("dial() checks each address and tries them in order", async () => {
  const conn = fakeConn();
  const { result, tried, checked, clock } = dialOf({
    addresses: ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
    connect: ({ hostname }) =>
      hostname === "192.0.2.1" ? refuse() : Promise.resolve(conn as unknown as Deno.TcpConn),
  });
  assertEquals((await result).ip, "192.0.2.2");
  assertEquals(tried, ["192.0.2.1", "192.0.2.2"]);
  assertEquals(checked, ["up.test 192.0.2.1 up", "up.test 192.0.2.2 up"]);
  assertEquals(clock.timers, 0);
});

Deno.test("dial() connects to no denied address, nor to any after it", async () => {
  const { result, tried } = dialOf({
    addresses: ["192.0.2.1", "10.0.0.1", "192.0.2.3"],
    denied: "10.0.0.1",
    connect: refuse,
  });
  const error = await assertRejects(() => result, SluiceError);
  assertEquals([error.code, tried], ["EGRESS_DENIED", ["192.0.2.1"]]);
});

Deno.test("dial() checks a literal address without resolving it", async () => {
  const { result, checked, tried } = dialOf({ url: "http://[::1]:9/", connect: refuse });
  const error = await assertRejects(() => result, SluiceError);
  assertEquals(error.message, 'Cannot connect to upstream "up": connection refused');
  assertEquals([checked, tried], [["::1 ::1 up"], ["::1"]]);
});

Deno.test("dial() leaves time for the second address where the first is silent", async () => {
  const { result, clock, tried } = dialOf({
    addresses: ["192.0.2.1", "192.0.2.2"],
    connect: ({ hostname }) => hostname === "192.0.2.1" ? new Promise(() => {}) : refuse(),
  });
  await clock.tick(1_999);
  assertEquals(tried, ["192.0.2.1"]);
  await clock.tick(1);
  assertEquals(tried, ["192.0.2.1", "192.0.2.2"]);
  assert(isError(await assertRejects(() => result), "UPSTREAM_CONNECT_FAILED"));
});

Deno.test("dial() gives up after the connect timeout, and closes what connects too late", async () => {
  const late = Promise.withResolvers<Deno.TcpConn>();
  const { result, clock } = dialOf({ addresses: ["192.0.2.1"], connect: () => late.promise });
  await clock.tick(4_000);
  const error = await assertRejects(() => result, SluiceError);
  assertEquals(error.message, 'Upstream "up" did not connect within 4000 ms (HTTP_CLIENT_CONNECT_TIMEOUT)');
  const conn = fakeConn();
  late.resolve(conn as unknown as Deno.TcpConn);
  await clock.tick(0);
  assertEquals([conn.closed, clock.timers], [true, 0]);
});

Deno.test("dial() ends with the signal's reason while it resolves or connects", async () => {
  for (const addresses of [["192.0.2.1"], []]) {
    const { result, abort, clock } = dialOf({ addresses });
    if (addresses.length > 0) await clock.tick(0);
    abort.abort("enough");
    assertEquals(await assertRejects(() => result), "enough");
    assertEquals(clock.timers, 0);
  }
});

Deno.test("dial() says which name has no address", async () => {
  const error = await assertRejects(() => dialOf({ addresses: [] }).result, SluiceError);
  assertEquals(
    error.message,
    'Cannot connect to upstream "up": cannot resolve "up.test" (it has no address)',
  );
});

/** A connection to a proxy that answers each request with the next of `answers`. */
function proxyConn(seen: string[], answer: string) {
  const bytes = new TextEncoder().encode(answer);
  let at = 0;
  const conn = {
    closed: false,
    close: () => conn.closed = true,
    setNoDelay() {},
    write: (request: Uint8Array) => {
      seen.push(new TextDecoder().decode(request));
      return Promise.resolve(request.length);
    },
    // Piecemeal: a head may arrive so.
    read: (into: Uint8Array) => {
      if (at === bytes.length) return Promise.resolve(null);
      const part = bytes.subarray(at, at + 7);
      into.set(part);
      at += part.length;
      return Promise.resolve(part.length);
    },
  };
  return conn;
}

function proxyOf(...answers: string[]) {
  const seen: string[] = [];
  const conns: ReturnType<typeof proxyConn>[] = [];
  const connect: Connect = () => {
    const conn = proxyConn(seen, answers[conns.length] ?? answers.at(-1) ?? "");
    conns.push(conn);
    return Promise.resolve(conn as unknown as Deno.TcpConn);
  };
  return { seen, conns, connect };
}

const OK = "HTTP/1.1 200 Connection established\r\n\r\n";

Deno.test("dial() has a proxy CONNECT to the address that the gateway has resolved and checked", async () => {
  const { seen, connect } = proxyOf(OK);
  const { result, checked, tried } = dialOf({
    url: "http://up.test:8080/",
    addresses: ["192.0.2.1"],
    connect,
    proxies: { httpProxy: "http://me:hush@proxy.test:3128" },
  });
  assertEquals((await result).ip, "192.0.2.1");
  assertEquals([checked, tried], [["up.test 192.0.2.1 up"], ["198.51.100.1"]]);
  assertEquals(seen, [
    "CONNECT 192.0.2.1:8080 HTTP/1.1\r\nhost: 192.0.2.1:8080\r\n" +
    `proxy-authorization: Basic ${btoa("me:hush")}\r\n\r\n`,
  ]);
});

Deno.test("dial() asks no proxy for an address that must not be connected to", async () => {
  const { seen, connect } = proxyOf(OK);
  const denied = dialOf({ addresses: ["10.0.0.1"], denied: "10.0.0.1", connect, proxies: {} });
  assertEquals((await assertRejects(() => denied.result, SluiceError)).code, "EGRESS_DENIED");
  const literal = dialOf({ url: "http://10.0.0.1/", denied: "10.0.0.1", connect, proxies: {} });
  assertEquals((await assertRejects(() => literal.result, SluiceError)).code, "EGRESS_DENIED");
  assertEquals([seen, denied.tried, literal.tried], [[], [], []]);
});

Deno.test("dial() gives a proxy the name only if the operator wants it to resolve names", async () => {
  const { seen, connect } = proxyOf(OK);
  const named = dialOf({
    url: "https://up.test/",
    connect,
    proxies: { httpsProxy: "http://proxy.test:3128", proxyResolvesNames: true },
  });
  await assertRejects(() => named.result); // the fake connection has no TLS
  assertEquals(seen, ["CONNECT up.test:443 HTTP/1.1\r\nhost: up.test:443\r\n\r\n"]);
  assertEquals(named.checked, []);
});

Deno.test("dial() makes no tunnel for a request that the proxy reads itself", async () => {
  const { seen, connect } = proxyOf();
  const literal = dialOf({ url: "http://192.0.2.1/", connect, proxies: {} });
  assertEquals([(await literal.result).ip, literal.checked], ["192.0.2.1", ["192.0.2.1 192.0.2.1 up"]]);
  const named = dialOf({ connect, proxies: { proxyResolvesNames: true } });
  assertEquals([(await named.result).ip, named.checked, seen], [null, [], []]);
});

Deno.test("dial() tries the next address where a proxy cannot reach the first", async () => {
  const { seen, connect, conns } = proxyOf("HTTP/1.1 503 unreachable\r\ncontent-length: 0\r\n\r\n", OK);
  const { result } = dialOf({ addresses: ["192.0.2.1", "2001:db8::2"], connect, proxies: {} });
  assertEquals((await result).ip, "2001:db8::2");
  assertEquals(seen.map((request) => request.split(" ")[1]), ["192.0.2.1:80", "[2001:db8::2]:80"]);
  assertEquals(conns.map(({ closed }) => closed), [true, false]);
});

Deno.test("dial() says what a proxy had against a tunnel, without its address", async () => {
  const reasonFor = async (answer: string, proxies: Partial<ProxySettings> = {}) => {
    const { connect, conns } = proxyOf(answer);
    const { result } = dialOf({ addresses: ["192.0.2.1", "192.0.2.2"], connect, proxies });
    const error = await assertRejects(() => result, SluiceError);
    assertEquals([error.code, conns.at(-1)!.closed], ["UPSTREAM_CONNECT_FAILED", true]);
    assert(!error.message.includes("198.51.100.1") && !error.message.includes("proxy.test"), error.message);
    return [String(error.params.reason), conns.length];
  };
  const refusal = (status: string) => `HTTP/1.1 ${status}\r\ncontent-length: 2\r\n\r\nno`;
  assertEquals(await reasonFor(refusal("403 Forbidden")), [
    "the proxy of HTTP_PROXY refused CONNECT (HTTP 403); if it allows host names only, set PROXY_RESOLVES_NAMES=true",
    1,
  ]);
  assertEquals(await reasonFor(refusal("407 Proxy Authentication Required")), [
    "the proxy of HTTP_PROXY wants credentials (HTTP 407); write them into its URL: http://user:password@host:port",
    1,
  ]);
  assertEquals(await reasonFor(refusal("407 no"), { httpProxy: "http://me:hush@proxy.test:3128" }), [
    "the proxy of HTTP_PROXY does not accept the user name and password in its URL (HTTP 407)",
    1,
  ]);
  assertEquals(await reasonFor(refusal("502 Bad Gateway")), [
    "the proxy of HTTP_PROXY cannot reach the upstream (HTTP 502)",
    2,
  ]);
  assertEquals(await reasonFor("SSH-2.0-OpenSSH\r\n"), [
    "the proxy of HTTP_PROXY made no tunnel: the answer is not HTTP/1.1",
    1,
  ]);
  assertEquals(await reasonFor(""), ["the proxy of HTTP_PROXY made no tunnel: it closed the connection", 1]);
  assertEquals(await reasonFor(`${OK}HTTP/1.1 200 smuggled\r\n\r\n`), [
    "the proxy of HTTP_PROXY made no tunnel: more bytes follow the head of its answer",
    1,
  ]);
});

Deno.test("dial() says that a proxy is not there, or that a name could not be resolved for it", async () => {
  const down = dialOf({ addresses: ["192.0.2.1"], connect: refuse, proxies: {} });
  assertEquals(
    (await assertRejects(() => down.result, SluiceError)).message,
    'Cannot connect to upstream "up": cannot reach the proxy of HTTP_PROXY: connection refused',
  );
  const unresolved = dialOf({ addresses: [], proxies: {} });
  assertEquals(
    (await assertRejects(() => unresolved.result, SluiceError)).message,
    'Cannot connect to upstream "up": cannot resolve "up.test" (it has no address); if only the proxy can, ' +
      "set PROXY_RESOLVES_NAMES=true",
  );
});

Deno.test("dial() gives up on a proxy that does not answer CONNECT", async () => {
  const conn = { ...proxyConn([], ""), read: () => new Promise<null>(() => {}) };
  let closed = false;
  conn.close = () => closed = true;
  const { result, clock } = dialOf({
    addresses: ["192.0.2.1"],
    connect: () => Promise.resolve(conn as unknown as Deno.TcpConn),
    proxies: {},
  });
  await clock.tick(4_000);
  const { code, params } = await assertRejects(() => result, SluiceError);
  assertEquals([code, params.phase, closed, clock.timers], ["UPSTREAM_TIMEOUT", "connect", true, 0]);
});
