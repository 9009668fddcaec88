import { assertEquals, assertRejects } from "@std/assert";
import { mintToken } from "../../tests/support/tokens.ts";
import { keysOfSecret } from "../auth/keys/own_keys.ts";
import { SluiceError } from "../base/errors.ts";
import { looksLikeToken, readToken } from "./token_revoke.ts";

const SECRET = "a-secret-of-more-than-thirty-two-bytes";
const KEYS = keysOfSecret("HS256", SECRET);

Deno.test("looksLikeToken() takes dots and the beginning of a token for a token, and anything else for a jti", async () => {
  const token = await mintToken(SECRET);
  for (
    const text of [token, token.slice(0, -5), token.slice(0, 60), token.slice(3), token.slice(0, 12), "a.b"]
  ) {
    assertEquals([text, looksLikeToken(text)], [text, true]);
  }
  for (const jti of [crypto.randomUUID(), "to-go", "17"]) {
    assertEquals([jti, looksLikeToken(jti)], [jti, false]);
  }
});

Deno.test("readToken() takes the jti of a token that the gateway has signed", async () => {
  const token = await mintToken(SECRET, { claims: { jti: "j1", exp: 4_000_000_000 } });
  assertEquals(await readToken(token, KEYS), { jti: "j1", expiresAt: 4_000_000_000_000 });
  const future = await mintToken(SECRET, { claims: { jti: "j2", nbf: 3_900_000_000, exp: 4_000_000_000 } });
  assertEquals((await readToken(future, KEYS)).jti, "j2");
});

Deno.test("readToken() refuses a damaged token, a foreign one, and one without a jti, and never says the token", async () => {
  const token = await mintToken(SECRET);
  const [header, payload, signature] = token.split(".");
  const rows: [text: string, words: string][] = [
    [token.slice(0, -1), "nothing is revoked: the signature of the token is wrong"],
    [token.slice(0, -20), "nothing is revoked: the signature of the token is wrong"],
    [`${header}.${payload}.`, "nothing is revoked"],
    [`${header}.${payload}`, "cannot be read"],
    [token.slice(0, 50), "cannot be read"],
    [token.slice(4), "cannot be read"],
    [`${header}.${payload.slice(0, -4)}.${signature}`, "nothing is revoked"],
    [await mintToken("another-secret-of-thirty-two-bytes!!"), "the signature of the token is wrong"],
    [await mintToken(SECRET, { expiresInSeconds: -1 }), "the token has expired already"],
    [await mintToken(SECRET, { claims: { jti: undefined } }), "the token has no jti"],
    [await mintToken(SECRET, { claims: { jti: 7 } }), "the gateway refuses this token anyway"],
  ];
  for (const [text, words] of rows) {
    const error = await assertRejects(() => readToken(text, KEYS), SluiceError, words);
    assertEquals([error.code, error.message.includes(text)], ["USAGE_INVALID", false]);
  }
});
