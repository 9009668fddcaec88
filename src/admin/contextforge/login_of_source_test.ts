import { assertEquals } from "@std/assert";
import { makeAuthority } from "../../../tests/support/client_authority.ts";
import type { OAuthCredentials } from "../../upstream/authorization/oauth_credentials.ts";
import { certificateOfSource, oauthOfSource } from "./login_of_source.ts";
import { contextForgeBundles } from "./sealed_bundles.ts";

const SECRET = "my-encryption-secret";

/** Sealed by Python's `cryptography`, with the parameters of ContextForge but 1 MiB of memory. */
const BUNDLE = {
  kdf: "argon2id",
  ...{ t: 3, m: 1024, p: 1, salt: "MDEyMzQ1Njc4OWFiY2RlZg==" },
  token:
    "gAAAAABlU_EAvoLdsgkdJzshBCNEnVKQM8Q_minR6W5QC9W1APpa7SUtLl9bu2qUu6UznNREAny0siGleLacPjv2DnvJbxw55h80RR8RoX_" +
    "9y6C00giqZ2k=",
};
const SEALED = `v2:${JSON.stringify(BUNDLE)}`;

Deno.test("a bundle of ContextForge is opened with its secret alone, and within limits", async () => {
  const open = contextForgeBundles(SECRET);
  assertEquals(await open(SEALED), "the-client-secret");
  assertEquals(await open(JSON.stringify(BUNDLE)), "the-client-secret");
  assertEquals(await open("not sealed"), "not sealed");
  assertEquals(await contextForgeBundles("another")(SEALED), null);
  assertEquals(await contextForgeBundles(null)(SEALED), null);
  const { token } = BUNDLE;
  for (const odd of [{ m: 4_000_000_000 }, { t: 1_000 }, { p: 0 }, { token: token.replace("Vlu", "AAA") }]) {
    const damaged = { ...BUNDLE, ...odd };
    if (JSON.stringify(damaged) !== JSON.stringify(BUNDLE)) {
      assertEquals(await open(JSON.stringify(damaged)), null);
    }
  }
  assertEquals(await open("v2:{"), null);
});

Deno.test("oauth_config with client credentials is imported, a grant that there is none of here is not", async () => {
  const open = contextForgeBundles(SECRET);
  const config = {
    grant_type: "client_credentials",
    client_id: "sluice",
    client_secret: SEALED,
    token_url: "https://login.test/token",
    scopes: ["a", "b"],
    redirect_uri: "",
  };
  assertEquals(await oauthOfSource(config, open), {
    type: "oauth",
    grant: "client_credentials",
    clientId: "sluice",
    clientSecret: "the-client-secret",
    privateKey: null,
    clientAuth: null,
    issuer: null,
    tokenUrl: "https://login.test/token",
    scopes: ["a", "b"],
    resource: null,
  });
  assertEquals(await oauthOfSource({ ...config, grant_type: "password" }, open), null);
  assertEquals(await oauthOfSource({ ...config, token_url: "file:///etc/passwd" }, open), null);
  assertEquals(await oauthOfSource(config, contextForgeBundles(null)), "unreadable");
});

Deno.test("oauth_config with authorization_code is imported: each user logs in, as at ContextForge", async () => {
  const open = contextForgeBundles(SECRET);
  const config = {
    ...{ grant_type: "authorization_code", client_id: "sluice", client_secret: SEALED },
    ...{ authorization_url: "https://login.test/authorize", token_url: "https://login.test/token" },
    ...{ redirect_uri: "https://contextforge.test/oauth/callback", scopes: ["a", "b"], store_tokens: true },
  };
  const imported = {
    ...{ type: "oauth", grant: "authorization_code", clientId: "sluice", clientSecret: "the-client-secret" },
    ...{ privateKey: null, clientAuth: null, issuer: null, tokenUrl: "https://login.test/token" },
    ...{ scopes: ["a", "b"], resource: null },
    login: {
      ...{ connection: "user", authorizationUrl: "https://login.test/authorize", sendsResource: true },
      parameters: {},
    },
  };
  assertEquals(await oauthOfSource(config, open), imported as unknown as OAuthCredentials);
  // A client without a secret, and one that registers itself.
  const { client_secret: _, ...isPublic } = config;
  const withoutSecret = await oauthOfSource(isPublic, open) as OAuthCredentials;
  assertEquals([withoutSecret.clientId, withoutSecret.clientSecret], ["sluice", null]);
  const registering = { grant_type: "authorization_code", issuer: "https://login.test", client_id: "" };
  const itself = await oauthOfSource(registering, open) as OAuthCredentials;
  assertEquals([itself.clientId, itself.issuer, itself.login?.connection], [
    "",
    "https://login.test",
    "user",
  ]);
  // Nothing says where the browser goes.
  assertEquals(await oauthOfSource({ ...config, authorization_url: undefined }, open), null);
  assertEquals(await oauthOfSource(config, contextForgeBundles(null)), "unreadable");
});

Deno.test("a client certificate is imported with its key, unless the pair cannot be used", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { cert, key } = await (await makeAuthority(folder, "clients")).issue("one");
    const open = contextForgeBundles(SECRET);
    const now = new Date();
    assertEquals(await certificateOfSource(cert, key, open, now), { cert, key });
    assertEquals(await certificateOfSource(cert, SEALED, open, now), null);
    assertEquals(await certificateOfSource("/etc/tls.crt", key, open, now), null);
    assertEquals(await certificateOfSource(cert, key, open, new Date(now.getTime() + 1e11)), null);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
