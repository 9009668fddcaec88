// Tokens of other issuers against a gateway of two workers: forged ones, and issuers that are down, slow or lie.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";
import { freePort } from "../support/free_port.ts";
import { assertWithin, paced } from "../support/pace.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const GOOD = "https://good.example";
const OTHER = "https://other.example";
const goodKeys = await generateKeyPair("ES256", { extractable: true });
const otherKeys = await generateKeyPair("ES256", { extractable: true });
const GOOD_JWK = { ...await exportJWK(goodKeys.publicKey), kid: "good" };
const OTHER_JWK = { ...await exportJWK(otherKeys.publicKey), kid: "other" };

/** Counts requests by path. */
function startProvider() {
  const reads = new Map<string, number>();
  const held = Promise.withResolvers<Response>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname, origin } = new URL(request.url);
    reads.set(pathname, (reads.get(pathname) ?? 0) + 1);
    switch (pathname) {
      case "/good":
        return Response.json({ keys: [GOOD_JWK] });
      case "/other":
        return Response.json({ keys: [OTHER_JWK] });
      case "/slow":
        return held.promise;
      case "/redirect":
        return Response.redirect(`${origin}/good`);
      case "/huge":
        return new Response(`{"keys":["${"x".repeat(300_000)}"]}`);
      case "/secret":
        return Response.json({ keys: [{ kty: "oct", k: "c2VjcmV0", kid: "good" }] });
      default:
        return Response.json({ keys: [OTHER_JWK] });
    }
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    reads,
    [Symbol.asyncDispose]: async () => {
      held.resolve(new Response(null));
      await server.shutdown();
    },
  };
}

function claims(more: Record<string, unknown> = {}) {
  const now = Math.floor(Date.now() / 1000);
  const who = { iss: GOOD, aud: "sluice", sub: "17", email: "ann@example.com", email_verified: true };
  return { ...who, iat: now, exp: now + 600, jti: crypto.randomUUID(), ...more };
}

function sign(
  more: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key: CryptoKey | Uint8Array = goodKeys.privateKey,
): Promise<string> {
  return new SignJWT(claims(more))
    .setProtectedHeader({ alg: "ES256", kid: "good", ...header } as JWTHeaderParameters).sign(key);
}

/** A token with any header, and a signature that is no signature. */
function forged(header: unknown, signature: Uint8Array = new Uint8Array(64)): string {
  const encode = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  const part = (value: unknown) => encode(new TextEncoder().encode(JSON.stringify(value)));
  return `${part(header)}.${part(claims())}.${encode(signature)}`;
}

Deno.test("Tokens of other issuers are taken for what they are, and forged ones for nothing (timed)", async () => {
  await using provider = startProvider();
  const entry = (issuer: string, jwks_uri: string, more: Record<string, unknown> = {}) => ({
    ...{ issuer, jwks_uri, audience: "sluice", algorithms: ["ES256"], allow_http: true },
    ...more,
  });
  // Long enough for the keys that are there.
  const timeoutS = Math.ceil(await paced(1));
  const bad: readonly [name: string, uri: string, reason: string][] = [
    ["slow", `${provider.url}/slow`, `no answer within ${timeoutS}000 ms (JWKS_TIMEOUT)`],
    ["redirect", `${provider.url}/redirect`, "answered HTTP 302"],
    ["huge", `${provider.url}/huge`, "is larger than 262144 bytes"],
    ["secret", `${provider.url}/secret`, "no key that can be used: a key is not a public key"],
    ["private", "https://10.0.0.1/keys", "is a private address"],
    ["metadata", "http://169.254.169.254/keys", "is a cloud metadata address, which is never allowed"],
    ["down", `http://127.0.0.1:${freePort()}/keys`, "connection refused"],
  ];
  const issuers = [
    entry(GOOD, `${provider.url}/good`, { teams: { ops: "t1" }, admin_groups: ["root"] }),
    entry(OTHER, `${provider.url}/other`),
    ...bad.map(([name, uri]) => entry(name, uri)),
  ];
  const env = { JWT_ISSUERS: JSON.stringify(issuers), JWKS_TIMEOUT: String(timeoutS), LOG_LEVEL: "INFO" };
  await using sluice = await Sluice.start({ env });
  const status = async (token: string, path = "/tools") =>
    (await sluice.api("GET", path, undefined, token)).status;

  // Tokens that are what they say, at both workers.
  const ann = await sign();
  for (let i = 0; i < 6; i++) assertEquals(await status(ann), 200);
  assertEquals(await status(ann, "/tokens/revoked"), 403);
  assertEquals(await status(await sign({ groups: ["root"] }), "/tokens/revoked"), 200);
  assertEquals(await status(await sign({ iss: OTHER }, { kid: "other" }, otherKeys.privateKey)), 200);
  for (const id of ["t1", "t2"]) {
    const body = { server: { id, name: id }, visibility: "team", team_id: id };
    assertEquals((await sluice.api("POST", "/servers", body)).status, 201);
  }
  const ops = await sign({ groups: ["ops"] });
  assertEquals([await status(ops, "/servers/t1"), await status(ops, "/servers/t2")], [200, 404]);
  // What ContextForge's claims grant, another issuer cannot.
  const bold = await sign({ is_admin: true, teams: null, sub: "admin@example.com", email_verified: false });
  assertEquals([await status(bold, "/tokens/revoked"), await status(bold, "/servers/t1")], [403, 404]);

  // Keys of one issuer, or of the gateway, for tokens of another.
  const own = new TextEncoder().encode(sluice.secret);
  const secretOf = (text: string) => new TextEncoder().encode(text);
  const pem = await exportSPKI(goodKeys.publicKey);
  const { privateKey: stranger } = await generateKeyPair("ES256");
  const refused: Record<string, string> = {
    "another issuer's key": await sign({}, { kid: "other" }, otherKeys.privateKey),
    "another issuer's key, this one's kid": await sign({}, {}, otherKeys.privateKey),
    "another issuer's key, no kid": await sign({}, { kid: undefined }, otherKeys.privateKey),
    "an issuer's key for the gateway's own": await sign({ iss: "mcpgateway", aud: "mcpgateway-api" }),
    "the gateway's key for an issuer's": await sign({}, { alg: "HS256" }, own),
    "an unknown issuer": await sign({ iss: "https://nobody.example" }),
    "no issuer": await sign({ iss: undefined }),
    "an issuer that is no text": await sign({ iss: [GOOD] }),
    "another audience": await sign({ aud: "else" }),
    "no audience": await sign({ aud: undefined }),
    "expired": await sign({ exp: 1 }),
    "no id": await sign({ jti: undefined }),
    "the public key as a secret": await sign({}, { alg: "HS256" }, secretOf(pem)),
    "the public JWK as a secret": await sign({}, { alg: "HS256" }, secretOf(JSON.stringify(GOOD_JWK))),
    "another algorithm of the kind": await sign(
      {},
      { alg: "ES384" },
      (await generateKeyPair("ES384")).privateKey,
    ),
    "a key in the header": await sign(
      {},
      { jwk: { ...await exportJWK(otherKeys.publicKey) } },
      otherKeys.privateKey,
    ),
    "an address of keys in the header": await sign(
      {},
      { jku: `${provider.url}/jku`, kid: "other" },
      stranger,
    ),
    "an address of a certificate": await sign({}, { x5u: `${provider.url}/x5u`, kid: "other" }, stranger),
    "crit": await sign({}, { crit: ["exp"], exp: 1 }).catch(() =>
      forged({ alg: "ES256", kid: "good", crit: ["exp"], exp: 1 })
    ),
    "r and s zero": forged({ alg: "ES256", kid: "good" }),
    "r and s of the order": forged({ alg: "ES256", kid: "good" }, new Uint8Array(64).fill(0xff)),
    "no signature": forged({ alg: "ES256", kid: "good" }, new Uint8Array()),
    "a DER signature": forged({ alg: "ES256", kid: "good" }, new Uint8Array(71).fill(0x30)),
  };
  for (const alg of ["none", "None", "NONE", "nOnE", "", "es256", " ES256", ["ES256"], null, {}, 7]) {
    refused[`alg ${JSON.stringify(alg)}`] = forged({ alg, kid: "good" }, new Uint8Array());
  }
  const kids = [
    "../../../../dev/null",
    "' OR '1'='1",
    "x".repeat(5_000),
    "good\0",
    "__proto__",
    "",
    { a: 1 },
    ["good"],
    7,
  ];
  for (const kid of kids) {
    refused[`kid ${JSON.stringify(kid).slice(0, 30)}`] = forged({ alg: "ES256", kid });
  }
  for (const [name, token] of Object.entries(refused)) assertEquals([name, await status(token)], [name, 401]);
  assertEquals([provider.reads.get("/jku"), provider.reads.get("/x5u")], [undefined, undefined]);

  // Keys that do not exist cause no reads beyond the rate.
  const before = provider.reads.get("/good")!;
  const startedAt = Date.now();
  for (let i = 0; i < 100; i++) {
    assertEquals(await status(await sign({}, { kid: crypto.randomUUID() }, stranger)), 401);
  }
  const intervals = Math.ceil((Date.now() - startedAt) / 10_000) + 1;
  const reads = provider.reads.get("/good")! - before;
  assert(reads <= 2 * intervals, `${reads} reads in ${intervals} intervals of two workers`);

  // Issuers that cannot be read, or lie: a defined answer in time, and the reason in the log.
  for (const [iss, , reason] of bad) {
    const asked = Date.now();
    const answer = await sluice.api("GET", "/tools", undefined, await sign({ iss }));
    assertEquals([iss, answer.status, (answer.body as { code: string }).code], [
      iss,
      503,
      "TOKEN_KEYS_UNAVAILABLE",
    ]);
    await assertWithin(Date.now() - asked, 5_000, iss);
    const line = () =>
      sluice.log().find((each) =>
        each.event === "keys of a token issuer cannot be read" && each.issuer === iss
      );
    await waitFor(() => line() !== undefined, { what: `the log line of ${iss}` });
    assertStringIncludes(JSON.stringify(line()), reason);
  }
  const metrics = await (await fetch(`${sluice.url}/metrics/prometheus`, {
    headers: { authorization: `Bearer ${await sluice.token()}` },
  })).text();
  assertStringIncludes(metrics, `sluice_token_keys_reads_total{issuer="redirect",outcome="failure"}`);
  assertStringIncludes(metrics, `sluice_token_keys_reads_total{issuer="${GOOD}",outcome="success"}`);
  assertEquals(await status(ann), 200);
});
