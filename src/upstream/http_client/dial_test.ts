import { assert, assertEquals, assertRejects } from "@std/assert";
import { isError, SluiceError } from "../../base/errors.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { dial, type DialOptions, tlsReason } from "./dial.ts";
import { targetOf } from "./target.ts";

type Connect = NonNullable<DialOptions["connect"]>;

function fakeConn() {
  const conn = { closed: false, close: () => conn.closed = true, setNoDelay() {} };
  return conn;
}

function dialOf(options: { addresses?: string[]; connect?: Connect; denied?: string; url?: string }) {
  const clock = new FakeClock();
  const tried: string[] = [];
  const checked: string[] = [];
  const abort = new AbortController();
  const { addresses = [], connect = () => new Promise(() => {}) } = options;
  const result = dial(targetOf(new URL(options.url ?? "http://up.test/")), "up", abort.signal, {
    clock,
    connectTimeoutMs: 4_000,
    resolve: () => Promise.resolve(addresses),
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

Deno.test("tlsReason() has words for what operators meet, and none for a connection that merely ended", () => {
  assertEquals(tlsReason("unexpected end of file", "a"), null);
  assertEquals(tlsReason("invalid peer certificate: Expired", "a"), "its certificate has expired");
  assertEquals(
    tlsReason("received fatal alert: HandshakeFailure", "a"),
    "received fatal alert: HandshakeFailure",
  );
});
