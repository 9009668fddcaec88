import { assertEquals } from "@std/assert";
import { isPassable, Passthrough, type PassthroughRules } from "./passthrough.ts";

type Given = Readonly<Record<string, string>>;

/** Unlike `Headers`, it may hold values that HTTP refuses. */
function received(given: Given) {
  return { get: (name: string) => given[name.toLowerCase()] ?? null };
}

function select(
  given: Given,
  { rules = {}, own = null, standing = [] }: {
    readonly rules?: Partial<PassthroughRules>;
    readonly own?: readonly string[] | null;
    readonly standing?: readonly string[];
  } = {},
): Record<string, string> {
  const all = { enabled: true, defaultNames: [], sensitive: false, overwrite: false, ...rules };
  const pairs = new Passthrough(all, own, standing).select({ received: received(given), token: null });
  // No header is sent twice.
  assertEquals(new Set(pairs.map(([name]) => name)).size, pairs.length);
  return Object.fromEntries(pairs);
}

const NEVER = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authorization",
  "proxy-authenticate",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "expect",
  "accept",
  "accept-encoding",
  "content-length",
  "content-type",
  "content-encoding",
  "mcp-session-id",
  "mcp-protocol-version",
  "mcp-anything",
  "sec-fetch-mode",
  "sec-websocket-key",
  "last-event-id",
  "x-upstream-authorization",
];

Deno.test("isPassable() never lets through what belongs to the connection, the message or the protocol", () => {
  for (const name of NEVER) {
    for (const sensitive of [false, true]) assertEquals(isPassable(name, sensitive), false, name);
  }
});

Deno.test("isPassable() lets credentials through only where the operator opted in", () => {
  for (const name of ["authorization", "cookie", "set-cookie"]) {
    assertEquals([isPassable(name, false), isPassable(name, true)], [false, true], name);
  }
  for (const name of ["x-tenant-id", "x-api-key", "traceparent", "x-mcp-thing"]) {
    assertEquals(isPassable(name, false), true, name);
  }
});

Deno.test("isPassable() takes header names only", () => {
  for (const name of ["", "x y", "x:y", "x\r\ny", "x\u00e9", "X-Upper", ":authority"]) {
    assertEquals(isPassable(name, true), false, name);
  }
});

Deno.test("Passthrough.select() passes nothing unless it is switched on", () => {
  const given = { "x-tenant-id": "t1", authorization: "Bearer mine", cookie: "a=b" };
  const rules = { enabled: false, sensitive: true, defaultNames: ["x-tenant-id", "authorization", "cookie"] };
  assertEquals(select(given, { rules }), {});
  assertEquals(select(given, { rules, own: ["x-tenant-id", "authorization"] }), {});
});

Deno.test("Passthrough.select() passes what is listed and received, by whichever case it is listed", () => {
  const rules = { defaultNames: ["X-Tenant-ID", "x-tenant-id", "X-Absent"] };
  assertEquals(select({ "x-tenant-id": "t1", "x-other": "no" }, { rules }), { "x-tenant-id": "t1" });
});

Deno.test("Passthrough.select() takes an upstream's own list in place of the default one, also an empty one", () => {
  const given = { "x-default": "d", "x-own": "o" };
  const rules = { defaultNames: ["x-default"] };
  assertEquals(select(given, { rules, own: null }), { "x-default": "d" });
  assertEquals(select(given, { rules, own: ["x-own"] }), { "x-own": "o" });
  assertEquals(select(given, { rules, own: [] }), {});
});

Deno.test("Passthrough.select() ignores denied names on either list", () => {
  const given = Object.fromEntries([...NEVER, "x-ok"].map((name) => [name, "value"]));
  const expected = { "x-ok": "value", authorization: "value" };
  // x-upstream-authorization is received, and passed under its other name.
  assertEquals(
    select(given, { rules: { defaultNames: [...NEVER, "x-ok"], sensitive: true, overwrite: true } }),
    expected,
  );
  assertEquals(
    select(given, { own: [...NEVER, "x-ok"], rules: { sensitive: true, overwrite: true } }),
    expected,
  );
});

Deno.test("Passthrough.select() never passes the caller's own bearer unasked", () => {
  const given = { authorization: "Bearer mine", cookie: "session=1" };
  assertEquals(select(given), {});
  // The header is listed, but the operator has not opted in.
  assertEquals(select(given, { rules: { defaultNames: ["authorization", "cookie"] } }), {});
  assertEquals(select(given, { own: ["Authorization", "Cookie"] }), {});
  // The operator has opted in, but the header is not listed.
  assertEquals(select(given, { rules: { sensitive: true, overwrite: true } }), {});
  assertEquals(select(given, { rules: { sensitive: true }, own: ["authorization"] }), {
    authorization: "Bearer mine",
  });
});

Deno.test("Passthrough.select() always renames X-Upstream-Authorization, and it wins over the bearer for us", () => {
  const given = { "x-upstream-authorization": "Bearer theirs", authorization: "Bearer mine" };
  const expected = { authorization: "Bearer theirs" };
  assertEquals(select(given, { rules: { enabled: false } }), expected);
  assertEquals(select(given), expected);
  assertEquals(select(given, { rules: { sensitive: true }, own: ["authorization"] }), expected);
});

Deno.test("Passthrough.select() leaves the upstream's standing headers alone unless told to overwrite them", () => {
  const given = {
    "x-upstream-authorization": "Bearer theirs",
    authorization: "Bearer mine",
    "x-api-key": "caller",
    "x-free": "f",
  };
  const standing = ["authorization", "x-api-key"];
  const rules = { sensitive: true, defaultNames: ["authorization", "x-api-key", "x-free"] };
  assertEquals(select(given, { rules, standing }), { "x-free": "f" });
  assertEquals(select(given, { rules: { ...rules, overwrite: true }, standing }), {
    "x-api-key": "caller",
    "x-free": "f",
    authorization: "Bearer theirs",
  });
});

Deno.test("Passthrough.select() keeps line ends out, and drops what is empty or too long", () => {
  const table: readonly [given: string, passed: string | null][] = [
    ["plain", "plain"],
    ["  spaced\t", "spaced"],
    ["a\r\nx-evil: 1", "ax-evil: 1"],
    ["a\rb\nc\0d", "abcd"],
    ["", null],
    [" \r\n\0 ", null],
    ["x".repeat(4_096), "x".repeat(4_096)],
    ["x".repeat(4_097), null],
  ];
  for (const [value, passed] of table) {
    const rules = { defaultNames: ["x-any"] };
    assertEquals(select({ "x-any": value }, { rules }), passed === null ? {} : { "x-any": passed });
    const own = select({ "x-upstream-authorization": value }, { rules });
    assertEquals(own, passed === null ? {} : { authorization: passed });
  }
});

Deno.test("Passthrough.select() gives the same list in the same order, for it is part of a pool key", () => {
  const rules = { defaultNames: ["x-b", "x-a", "x-c"] };
  const passthrough = new Passthrough(
    { enabled: true, sensitive: false, overwrite: false, ...rules },
    null,
    [],
  );
  const one = passthrough.select({ received: received({ "x-a": "1", "x-b": "2", "x-c": "3" }), token: null });
  const two = passthrough.select({ received: received({ "x-c": "3", "x-b": "2", "x-a": "1" }), token: null });
  assertEquals(one.map(([name]) => name), ["x-b", "x-a", "x-c"]);
  assertEquals(two, one);
});

Deno.test("Passthrough names the owner of the token where each user has one", () => {
  const passthrough = new Passthrough(RULES_OFF, null, [], {
    header: ":token-owner",
    own: ":own",
    of: ({ token }) => token?.user ?? "anonymous",
  });
  const of = (user: string | null, headers: Record<string, string> = {}) =>
    passthrough.select({ received: received(headers), token: user === null ? null : { user, issuer: "i" } });
  assertEquals(of("a@x.example"), [[":token-owner", "a@x.example"]]);
  assertEquals(of("a@x.example") === of("a@x.example"), true);
  assertEquals(of(null), [[":token-owner", "anonymous"]]);
  assertEquals(of("b@x.example", { "x-upstream-authorization": "own" }), [
    ["authorization", "own"],
    [":token-owner", "b@x.example"],
  ]);
});

const RULES_OFF = { enabled: false, defaultNames: [], sensitive: false, overwrite: false };
