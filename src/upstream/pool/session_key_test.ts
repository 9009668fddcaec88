import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { ANONYMOUS_IDENTITY, type Caller, type Identity, IdentityHasher, poolKey } from "./session_key.ts";

const GUIDE_HEADERS = ["Authorization", "X-Tenant-ID", "X-User-ID", "X-API-Key", "Cookie"];
const TOKEN = { issuer: "https://issuer", subject: "alice", reach: "all", user: "u@x.example" };

function hasher(options: { key?: number; headers?: string[]; maxCachedChars?: number } = {}): IdentityHasher {
  return new IdentityHasher({
    key: new Uint8Array(32).fill(options.key ?? 1),
    identityHeaders: options.headers ?? GUIDE_HEADERS,
    loginCookie: "jwt_token",
    maxCachedChars: options.maxCachedChars,
  });
}

function caller(
  headers: Record<string, string> = {},
  token: Caller["token"] = null,
  passed: Caller["passed"] = [],
): Caller {
  return { token, received: new Headers(headers), passed };
}

Deno.test("IdentityHasher.identify() calls nobody in particular anonymous", () => {
  assertEquals(hasher().identify(caller()), ANONYMOUS_IDENTITY);
  assertEquals(hasher().identify(caller({ "user-agent": "x", "x-tenant-id": "" })), ANONYMOUS_IDENTITY);
  assertNotEquals(hasher().identify(caller({}, TOKEN)), ANONYMOUS_IDENTITY);
});

Deno.test("IdentityHasher.identify() keeps one identity for a user whose token rotates", () => {
  const one = hasher().identify(caller({ authorization: "Bearer 1" }, TOKEN));
  assertEquals(one, hasher().identify(caller({ authorization: "Bearer 2" }, TOKEN)));
  assertEquals(
    one,
    hasher().identify(caller({ cookie: "jwt_token=3" }, TOKEN)),
    "the login cookie is the token",
  );
  assertNotEquals(one, hasher().identify(caller({}, { ...TOKEN, subject: "bob" })));
  assertNotEquals(one, hasher().identify(caller({}, { ...TOKEN, issuer: "https://other" })));
  assertNotEquals(one, hasher().identify(caller({}, { ...TOKEN, reach: "one server", user: "u@x.example" })));
});

Deno.test("IdentityHasher.identify() tells unverified callers apart by Authorization", () => {
  const one = hasher().identify(caller({ authorization: "Bearer 1" }));
  assertNotEquals(one, hasher().identify(caller({ authorization: "Bearer 2" })));
  assertNotEquals(one, ANONYMOUS_IDENTITY);
  assertEquals(one, hasher({ headers: [] }).identify(caller({ authorization: "Bearer 1" })), "listed or not");
});

Deno.test("IdentityHasher.identify() counts each identity header as received, whatever its case", () => {
  const alone = hasher().identify(caller({}, TOKEN));
  const seen = new Set<string>([alone]);
  for (const name of ["X-TENANT-ID", "x-user-id", "X-Api-Key", "cookie"]) {
    seen.add(hasher().identify(caller({ [name]: "1" }, TOKEN)));
    seen.add(hasher().identify(caller({ [name]: "2" }, TOKEN)));
  }
  assertEquals(seen.size, 9);
  assertEquals(alone, hasher().identify(caller({ "x-request-id": "1" }, TOKEN)), "others do not count");
});

Deno.test("IdentityHasher.identify() leaves out the login cookie only where it was verified", () => {
  const alone = hasher().identify(caller({ cookie: "theme=dark" }, TOKEN));
  assertEquals(alone, hasher().identify(caller({ cookie: "jwt_token=a; theme=dark" }, TOKEN)));
  assertEquals(alone, hasher().identify(caller({ cookie: "theme=dark;jwt_token=b" }, TOKEN)));
  assertNotEquals(alone, hasher().identify(caller({ cookie: "not_jwt_token=b; theme=dark" }, TOKEN)));
  assertNotEquals(
    hasher().identify(caller({ cookie: "jwt_token=a" })),
    hasher().identify(caller({ cookie: "jwt_token=b" })),
  );
});

Deno.test("IdentityHasher.identify() counts what is passed upstream, empty values too", () => {
  const identities = [[], [["x-a", "1"]], [["x-a", "2"]], [["x-b", "1"]], [["x-a", ""]], [["x-a", "1"], [
    "x-a",
    "1",
  ]]]
    .map((passed) => hasher().identify(caller({}, TOKEN, passed as unknown as Caller["passed"])));
  assertEquals(new Set(identities).size, identities.length);
  assertEquals(
    hasher().identify(caller({}, TOKEN, [["X-A", "1"]])),
    hasher().identify(caller({}, TOKEN, [["x-a", "1"]])),
  );
});

Deno.test("IdentityHasher.identify() gives keyed hashes that show nothing of what went in", () => {
  const identity = hasher().identify(caller({ authorization: "Bearer secret" }, null, [["x-a", "secret"]]));
  assert(/^[A-Za-z0-9_-]{32}$/.test(identity));
  assertNotEquals(
    identity,
    hasher({ key: 2 }).identify(caller({ authorization: "Bearer secret" }, null, [["x-a", "secret"]])),
  );
});

Deno.test("IdentityHasher.identify() answers alike from the cache, after it has turned over, and without one", () => {
  const cached = hasher({ maxCachedChars: 400 });
  const none = hasher({ maxCachedChars: 0 });
  const callers = Array.from({ length: 50 }, (_, i) => caller({ "x-user-id": `user-${i}` }, TOKEN));
  for (let round = 0; round < 3; round++) {
    for (const each of callers) assertEquals(cached.identify(each), none.identify(each));
  }
});

Deno.test("IdentityHasher.identify() and poolKey() never read two parts as two others", () => {
  const units = ["", "a", "1", ":", "\ud800", "\ud801"];
  const parts = [...new Set(units.flatMap((x) => units.map((y) => x + y)))];
  const pairs = parts.flatMap((x) => parts.map((y) => [x, y]));
  const one = hasher();
  const identities = pairs.map(([issuer, subject]) =>
    one.identify(caller({}, { issuer, subject, reach: "", user: "u@x.example" }))
  );
  assertEquals(new Set(identities).size, pairs.length);
  const keys = pairs.map(([upstreamId, url]) =>
    poolKey({ url, identity: ANONYMOUS_IDENTITY, transport: "SSE", upstreamId, upstream: "u" }).text
  );
  assertEquals(new Set(keys).size, pairs.length);
});

Deno.test("IdentityHasher.identify() tells the same value in different places apart", () => {
  const callers = [
    caller({ authorization: "x" }),
    caller({ "x-tenant-id": "x" }),
    caller({ "x-user-id": "x" }),
    caller({}, null, [["x-user-id", "x"]]),
    caller({}, null, [["authorization", "x"]]),
    caller({}, { issuer: "x", subject: "", reach: "", user: "u@x.example" }),
    caller({}, { issuer: "", subject: "x", reach: "", user: "u@x.example" }),
    caller({ "x-tenant-id": "x", "x-user-id": "x" }),
    caller({ "x-tenant-id": "x" }, null, [["x-user-id", "x"]]),
  ];
  assertEquals(new Set(callers.map((each) => hasher().identify(each))).size, callers.length);
});

/** Everything that may distinguish two callers. The values would collide if they were framed badly. */
const text = fc.string({ unit: fc.constantFrom("a", "1", ":", ";", "T", "\ud800", "\ud801"), maxLength: 4 });
const headerText = fc.string({ unit: fc.constantFrom("a", "1", ":", ",", "H"), maxLength: 4 });
const anyCaller = fc.record({
  token: fc.option(fc.record({ issuer: text, subject: text, reach: text, user: fc.constant("") })),
  headers: fc.dictionary(fc.constantFrom("authorization", "x-tenant-id", "x-user-id"), headerText),
  passed: fc.array(fc.tuple(fc.constantFrom("x-a", "x-ab"), text), { maxLength: 3 }),
});

/** The same description without hash, frame and cache. */
function differs(a: typeof anyCaller extends fc.Arbitrary<infer T> ? T : never, b: typeof a): boolean {
  const parts = ({ token, headers, passed }: typeof a) => {
    const { authorization, ...others } = headers;
    const counted = Object.entries(others).filter(([, value]) => value !== "").sort();
    return JSON.stringify([token ?? [authorization || null], counted, passed]);
  };
  return parts(a) !== parts(b);
}

Deno.test("IdentityHasher.identify() gives two callers one identity if and only if nothing differs", () => {
  const one = hasher();
  fc.assert(
    fc.property(anyCaller, anyCaller, (a, b) => {
      const [x, y] = [a, b].map(({ token, headers, passed }) =>
        one.identify(caller(headers as Record<string, string>, token, passed))
      );
      assertEquals(x !== y, differs(a, b));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("poolKey() gives equal text to equal fields only, and the name is none of them", () => {
  const part = fc.string({ unit: fc.constantFrom("a", "1", ":", "2"), maxLength: 3 });
  const fields = fc.record({
    url: part,
    identity: part as fc.Arbitrary<Identity>,
    transport: part,
    upstreamId: part,
    upstream: part,
  });
  fc.assert(
    fc.property(fields, fields, (a, b) => {
      const same = a.url === b.url && a.identity === b.identity && a.transport === b.transport &&
        a.upstreamId === b.upstreamId;
      assertEquals(poolKey(a).text === poolKey(b).text, same);
    }),
    { numRuns: 2_000 },
  );
});
