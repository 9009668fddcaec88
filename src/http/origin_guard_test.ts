import { assertEquals, assertThrows } from "@std/assert";
import { isError, SluiceError } from "../base/errors.ts";
import { OriginGuard, type OriginGuardOptions } from "./origin_guard.ts";

function passes(
  headers: Record<string, string>,
  { url = `http://${headers.host || "localhost"}/rpc`, ...options }:
    & Partial<OriginGuardOptions>
    & { url?: string } = {},
): boolean {
  const guard = new OriginGuard({ allowedOrigins: [], allowedHosts: [], listensOn: "0.0.0.0", ...options });
  try {
    guard.check({ headers: new Headers(headers), url });
    return true;
  } catch (error) {
    assertEquals(isError(error, "ORIGIN_DENIED") || isError(error, "HOST_DENIED"), true);
    return false;
  }
}

Deno.test("OriginGuard.check() lets in no origin, this machine's and the allowed ones, nobody else", () => {
  const allowedOrigins = ["https://UI.example"];
  assertEquals(passes({}, { allowedOrigins }), true);
  const good = ["https://ui.example", "http://localhost:3000", "https://127.0.0.1", "http://[::1]:80"];
  const bad = [
    "null",
    "http://ui.example",
    "https://ui.example.evil",
    "http://localhost.evil.example",
    "http://127.0.0.1.nip.example",
    "http://localhost:80@evil.example",
    "",
  ];
  for (const origin of good) assertEquals(passes({ origin }, { allowedOrigins }), true, origin);
  for (const origin of bad) assertEquals(passes({ origin }, { allowedOrigins }), false, origin);
  for (const origin of bad) assertEquals(passes({ origin }, { allowedOrigins: ["*"] }), true, origin);
});

Deno.test("OriginGuard.check() knows its own names where it listens on loopback alone", () => {
  for (const listensOn of ["127.0.0.1", "::1", "localhost", "127.0.0.53"]) {
    for (const host of ["127.0.0.1", "localhost:4444", "LOCALHOST", "[::1]:4444", "[::1]"]) {
      assertEquals(passes({ host }, { listensOn }), true, host);
    }
    for (const host of ["evil.example", "evil.example:4444", "localhost.evil.example", "[::2]", ""]) {
      assertEquals(passes({ host }, { listensOn }), false, host);
    }
  }
  assertEquals(passes({ host: "127.0.0.53:4444" }, { listensOn: "127.0.0.53" }), true);
  assertEquals(passes({ host: "127.0.0.53:4444" }, { listensOn: "127.0.0.1" }), false);
  assertEquals(passes({ host: "gateway.example" }), true, "any name on any address");
  // As HTTP/2 requests come: their authority is in the address alone.
  const listensOn = "127.0.0.1";
  assertEquals(passes({}, { listensOn, url: "https://127.0.0.1:4444/rpc" }), true);
  assertEquals(passes({}, { listensOn, url: "http://[::1]:4444/rpc" }), true);
  assertEquals(passes({}, { listensOn, url: "https://evil.example:4444/rpc" }), false);
  // Neither name wins over the other.
  for (const [host, authority] of [["localhost", "evil.example"], ["evil.example", "localhost"]]) {
    assertEquals(passes({ host: host! }, { listensOn, url: `http://${authority}/rpc` }), false);
  }
});

Deno.test("OriginGuard.check() takes the hosts that it is told, and localhost", () => {
  const allowedHosts = ["gateway.example"];
  for (const listensOn of ["0.0.0.0", "127.0.0.1"]) {
    assertEquals(passes({ host: "Gateway.example:8443" }, { allowedHosts, listensOn }), true);
    assertEquals(passes({ host: "localhost" }, { allowedHosts, listensOn }), true);
    assertEquals(passes({ host: "other.example" }, { allowedHosts, listensOn }), false);
    assertEquals(passes({ host: "other.example" }, { allowedHosts: ["*"], listensOn }), true);
  }
});

Deno.test("OriginGuard.check() refuses a Host header that names no host, whichever hosts are allowed", () => {
  for (const listensOn of ["0.0.0.0", "127.0.0.1"]) {
    const guard = new OriginGuard({ allowedOrigins: [], allowedHosts: [], listensOn });
    const check = (host: string) =>
      guard.check({ headers: new Headers({ host }), url: `http://${host}/rpc` });
    check("localhost:4444");
    for (const host of ["a b", "a:b", "[::1", "<x>", "localhost:99999"]) {
      const error = assertThrows(() => check(host), SluiceError);
      assertEquals(error.code, "INVALID_REQUEST", host);
    }
    check("localhost:4444");
  }
});
