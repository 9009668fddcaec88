import { assertEquals, assertStringIncludes } from "@std/assert";
import { withAdminApi } from "../../../../tests/support/admin_api.ts";
import type { Credentials } from "../../../upstream/credentials.ts";
import { type Fault, fault } from "../../rest/faults.ts";
import { MASK } from "../../rest/schemas.ts";
import { NONE_STORED, unmasked } from "./masked_secrets.ts";
import { requestedAuth } from "./requested_auth.ts";

const URL_1 = "http://127.0.0.1:9000/mcp";

const OAUTH = { client_id: "c", client_secret: "s", token_url: "https://as.example/token" };
const AWS = { access_key_id: "AKID", secret_access_key: "hush", region: "us-east-1", service: "lambda" };

/** A valid login of each kind. */
const LOGINS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  basic: { auth_username: "u", auth_password: "p" },
  bearer: { auth_token: "t" },
  authheaders: { auth_headers: [{ key: "X-Key", value: "v" }] },
  query_param: { auth_query_param_key: "k", auth_query_param_value: "v" },
  oauth: { oauth_config: OAUTH },
  aws_sigv4: { aws_config: AWS },
};

/** The faults of a refusal, as text; none: it was no refusal. */
function refused(
  { status, body }: { readonly status: number; readonly body: { readonly detail?: unknown } },
) {
  const faults = status === 422 ? body.detail as Fault[] : [];
  return faults.map(({ loc, msg }) => `${loc.at(-1)} ${msg}`);
}

Deno.test("POST /gateways refuses the fields of every other kind of credentials, and says what to do", () =>
  withAdminApi(async ({ call, discovered }) => {
    for (const [type, own] of Object.entries(LOGINS)) {
      for (const [other, fields] of Object.entries(LOGINS)) {
        if (other === type) continue;
        const body = { name: "one", url: URL_1, auth_type: type, ...own, ...fields };
        const reason = `has no effect with auth_type "${type}": leave it out, or set auth_type "${other}"`;
        assertEquals(
          refused(await call("POST", "/gateways", { body })),
          Object.keys(fields).map((field) => `${field} ${reason}`),
        );
      }
    }
    for (const none of [{}, { auth_type: null }, { auth_type: "" }, { auth_type: "none" }]) {
      const body = { name: "one", url: URL_1, ...none, auth_token: "t" };
      assertEquals(refused(await call("POST", "/gateways", { body })), [
        'auth_token has no effect without credentials: leave it out, or set auth_type "bearer"',
      ]);
    }
    const both = { name: "one", url: URL_1, oauth_config: OAUTH, aws_config: AWS };
    assertEquals(refused(await call("POST", "/gateways", { body: both })), [
      'aws_config has no effect with auth_type "oauth": leave it out, or set auth_type "aws_sigv4"',
    ]);
    assertEquals(discovered, []);
    // What a form leaves empty asks for nothing.
    const form = { auth_username: "", auth_password: MASK, auth_headers: [], oauth_config: null };
    const body = { name: "one", url: URL_1, auth_type: "bearer", auth_token: "t", ...form };
    assertEquals((await call("POST", "/gateways", { body })).status, 200);
  }));

Deno.test("PUT /gateways/{id} refuses fields that the stored kind does not use, and takes back what GET gave", () =>
  withAdminApi(async ({ call }) => {
    const body = { name: "one", url: URL_1, auth_type: "basic", ...LOGINS.basic };
    const { body: before } = await call("POST", "/gateways", { body });
    const put = (changes: Record<string, unknown>) => call("PUT", "/gateways/one", { body: changes });
    assertEquals(refused(await put({ auth_token: "t" })), [
      'auth_token has no effect with auth_type "basic": leave it out, or set auth_type "bearer"',
    ]);
    const bearer = { auth_type: "bearer", auth_token: "t" };
    // The client has read the user, and changed it.
    const { authType: _, authToken: __, ...shown } = before;
    assertEquals(refused(await put({ ...shown, ...bearer, authUsername: "other" })).length, 1);
    const changed = await put({ ...shown, ...bearer });
    assertEquals([changed.status, changed.body.authType], [200, "bearer"], JSON.stringify(changed.body));
    // The same for a whole configuration.
    const { body: signed } = await put({ auth_type: "aws_sigv4", aws_config: AWS });
    const { awsConfig } = signed;
    assertEquals(
      refused(await put({ ...bearer, awsConfig: { ...awsConfig, region: "eu-west-1" } })).length,
      1,
    );
    assertEquals((await put({ ...bearer, awsConfig })).status, 200);
  }));

Deno.test("PUT /gateways/{id} does not tell whether a secret of the stored kind beside another kind is the stored one", () =>
  withAdminApi(async ({ call }) => {
    const WRONG: typeof LOGINS = {
      basic: { auth_username: "u", auth_password: "wrong" },
      bearer: { auth_token: "wrong" },
      authheaders: { auth_headers: [{ key: "X-Key", value: "wrong" }] },
      query_param: { auth_query_param_key: "k", auth_query_param_value: "wrong" },
      oauth: { oauth_config: { ...OAUTH, client_secret: "wrong" } },
      aws_sigv4: { aws_config: { ...AWS, secret_access_key: "wrong" } },
    };
    await call("POST", "/gateways", { body: { name: "one", url: URL_1 } });
    for (const [type, stored] of Object.entries(LOGINS)) {
      const put = (body: Record<string, unknown>) => call("PUT", "/gateways/one", { body });
      assertEquals((await put({ auth_type: type, ...stored })).status, 200);
      const other = type === "bearer" ? "basic" : "bearer";
      const guess = async (guessed: Readonly<Record<string, unknown>>) => {
        const { status, body: { detail } } = await put({ auth_type: other, ...LOGINS[other], ...guessed });
        return [status, detail];
      };
      assertEquals(await guess(stored), await guess(WRONG[type]!), type);
    }
  }));

Deno.test("POST /gateways refuses one of two headers, and a resource that is not sent", () =>
  withAdminApi(async ({ call }) => {
    const faultsOf = async (login: Record<string, unknown>) =>
      refused(await call("POST", "/gateways", { body: { name: "one", url: URL_1, ...login } }));
    const headers = { auth_type: "authheaders", auth_headers: [{ key: "A", value: "1" }] };
    assertEquals(await faultsOf({ ...headers, auth_header_key: "B", auth_header_value: "2" }), [
      "auth_header_key has no effect beside auth_headers: leave it out, or add the header to auth_headers",
    ]);
    assertEquals((await faultsOf({ auth_type: "authheaders", auth_header_value: "2" })).sort(), [
      "auth_header_key Field required with auth_header_value",
      'auth_headers Field required with auth_type "authheaders"',
    ]);
    const oauth_config = {
      ...{ grant_type: "authorization_code", send_resource: false, resource: "https://u.example" },
    };
    assertEquals(await faultsOf({ auth_type: "oauth", oauth_config }), [
      "resource has no effect with send_resource false: leave one of both out",
    ]);
  }));

Deno.test("POST and PUT /gateways warn of an authority that verifies nothing", () =>
  withAdminApi(async ({ call }) => {
    const ca_certificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
    const made = await call("POST", "/gateways", { body: { name: "one", url: URL_1, ca_certificate } });
    assertEquals(made.body.warnings.map(({ loc, type }: Fault) => [loc.at(-1), type]), [[
      "ca_certificate",
      "no_effect",
    ]]);
    assertStringIncludes(made.body.warnings[0].msg, "http:");
    const later = await call("PUT", "/gateways/one", { body: { ca_certificate } });
    assertEquals(later.body.warnings?.length, 1);
    const tls = { url: "https://u.example/mcp" };
    assertEquals(
      (await call("PUT", "/gateways/one", { body: { ...tls, ca_certificate } })).body.warnings,
      undefined,
    );
  }));

Deno.test("requestedAuth() keeps a login without its certificate, which other fields name", () => {
  const kept: Credentials = {
    ...{ type: "aws_sigv4", accessKeyId: "AKID", secretAccessKey: "hush", sessionToken: null },
    ...{ region: "us-east-1", service: "lambda", certificate: { cert: "c", key: "k" } },
  };
  const { credentials, faults } = requestedAuth({ client_cert: null }, kept);
  assertEquals([faults, credentials?.type, "certificate" in credentials!], [[], "aws_sigv4", false]);
});

Deno.test("a mask stands for the stored secret of the same account alone", () => {
  const faults: Fault[] = [];
  const read = (given: string | null | undefined, value: string | null, former?: string | null) =>
    unmasked(given, { value, former }, ["body", "x"], faults);
  assertEquals([read("own", "stored"), read(undefined, "stored"), read(MASK, "stored")], [
    "own",
    null,
    "stored",
  ]);
  assertEquals(faults, []);
  read(MASK, null, "access key");
  read(MASK, "stored", "access key");
  assertEquals(faults, [
    fault(["body", "x"], NONE_STORED),
    fault(["body", "x"], "send the secret too: the stored one is for the former access key"),
  ]);
});

Deno.test("masks of several headers of one name stand for them in their order, or are refused", () => {
  const header = (key: string, value: string) => ({ key, value });
  const stored = [header("X-Scope", "a"), header("X-Key", "k"), header("X-Scope", "b")];
  const read = (...auth_headers: { key: string; value: string }[]) =>
    requestedAuth({ auth_type: "authheaders", auth_headers }, { type: "authheaders", headers: stored });
  const scope = () => header("x-scope", MASK);
  const key = () => header("X-Key", MASK);
  const taken = (...headers: { key: string; value: string }[]) => ({
    credentials: { type: "authheaders", headers },
    faults: [],
  });
  assertEquals(read(scope(), key(), scope()), taken(...stored));
  assertEquals(
    read(scope(), scope(), header("X-Scope", "c")),
    taken(stored[0]!, stored[2]!, header("X-Scope", "c")),
  );
  assertEquals(read(header("X-Scope", "c"), scope()), taken(header("X-Scope", "c"), stored[2]!));
  const { credentials, faults } = read(key(), scope());
  assertEquals(credentials, null);
  assertEquals(faults.map(({ loc }) => loc), [["body", "auth_headers", 1, "value"]]);
  assertStringIncludes(faults[0]!.msg, "send all 2 in their order, or the values themselves");
  assertStringIncludes(read(key(), key()).faults[0]!.msg, NONE_STORED);
});
