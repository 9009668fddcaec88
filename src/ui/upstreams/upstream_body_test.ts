import { assertEquals } from "@std/assert";
import { changesIn, registrationIn, repeatedVariablesIn, valuesOf } from "./upstream_body.ts";
import type { Upstream } from "./upstream_shapes.ts";

const STORED = {
  ...{ name: "time", url: "https://h/mcp?key=*****", description: null, transport: "STREAMABLEHTTP" },
  ...{ authType: "authheaders", authHeaders: [{ key: "X-Key", value: "*****" }], authUsername: null },
  ...{
    oauthConfig: null,
    awsConfig: null,
    authQueryParamKey: null,
    caCertificate: null,
    passthroughHeaders: ["x-a", "x-b"],
    isolation: "session",
  },
  ...{ toolApproval: null, visibility: "team", teamId: "t1", tags: [{ id: "a", label: "A" }] },
  refreshIntervalSeconds: 60,
} as unknown as Upstream;

Deno.test("a form that is sent as it was shown changes nothing, and a changed field is the only change", () => {
  const shown = valuesOf(STORED);
  assertEquals(changesIn(shown, STORED), {});
  const changed = (fields: Record<string, string>) =>
    changesIn(new URLSearchParams({ ...Object.fromEntries(shown), ...fields }), STORED);
  assertEquals(changed({ description: " a\r\nb " }), { description: "a\nb" });
  assertEquals(changed({ visibility: "team:t2" }), { visibility: "team", team_id: "t2" });
  assertEquals(changed({ visibility: "public" }), { visibility: "public" });
  assertEquals(changed({ passthrough_headers: "", refresh_interval_seconds: "", tags: "" }), {
    ...{ passthrough_headers: null, refresh_interval_seconds: null, tags: "" },
  });
  assertEquals(changed({ auth_headers: "X-Key: *****\r\nX-B: b: c" }), {
    auth_type: "authheaders",
    auth_headers: [{ key: "X-Key", value: "*****" }, { key: "X-B", value: "b: c" }],
  });
  assertEquals(changed({ auth_type: "none" }), { auth_type: "none" });
  // What somebody else has changed since the form was opened stays.
  const other = { ...STORED, description: "new", tags: [] } as unknown as Upstream;
  const opened = { ...Object.fromEntries(shown), seen: String(shown) };
  assertEquals(changesIn(new URLSearchParams({ ...opened, name: "clock" }), other), { name: "clock" });
  const labels = ["A", "B"].map((label) => ({ id: label, label }));
  const longer = { ...STORED, tags: labels, passthroughHeaders: ["x-b", "x-c"] } as unknown as Upstream;
  const lists = { tags: "A, C", passthrough_headers: "x-a, x-b, x-d" };
  assertEquals(changesIn(new URLSearchParams({ ...opened, ...lists }), longer), {
    ...{ tags: "A, B, C", passthrough_headers: ["x-b", "x-c", "x-d"] },
  });
  assertEquals(changesIn(new URLSearchParams({ ...opened, tags: "A, B" }), longer), {});
  const headers = [{ key: "X-Key", value: "*****" }, { key: "X-New", value: "*****" }];
  const safer = { ...STORED, authHeaders: headers } as unknown as Upstream;
  const sent = new URLSearchParams({ ...opened, auth_headers: "X-Key: *****\r\nX-B: b" });
  assertEquals(changesIn(sent, safer).auth_headers, [...headers, { key: "X-B", value: "b" }]);
  assertEquals(changed({ auth_token: "of another kind" }), {});
  assertEquals(changed({ auth_type: "bearer", auth_token: "t" }), { auth_type: "bearer", auth_token: "t" });
});

Deno.test("the form of an upstream with a login keeps it, and keeps the secret that is not typed again", () => {
  const login = {
    grant_type: "client_credentials",
    client_id: "c",
    client_secret: "*****",
    private_key: null,
  };
  const oauthConfig = {
    ...login,
    client_auth: null,
    issuer: null,
    scopes: ["a", "b"],
    resource: "https://h",
  };
  const stored = { ...STORED, authType: "oauth", authHeaders: null, oauthConfig } as Upstream;
  const shown = valuesOf(stored);
  assertEquals(changesIn(shown, stored), {});
  const changed = (fields: Record<string, string>) =>
    changesIn(new URLSearchParams({ ...Object.fromEntries(shown), ...fields }), stored);
  assertEquals(changed({ oauth_scopes: "a c" }), {
    auth_type: "oauth",
    oauth_config: { ...oauthConfig, scopes: "a c" },
  });
  const ofUsers = { grant_type: "authorization_code", connection: "user", client_id: null };
  assertEquals(changed({ oauth_login: "user", oauth_client_id: "" }).oauth_config, {
    ...{ ...oauthConfig, ...ofUsers, scopes: "a b" },
  });
  const exchanged = { grant_type: "token_exchange", audience: "crm" };
  assertEquals(changed({ oauth_login: "exchange", oauth_audience: "crm" }).oauth_config, {
    ...{ ...oauthConfig, ...exchanged, scopes: "a b" },
  });
  const settings = { subject_token_type: "jwt", requested_token_type: null, send_resource: false };
  const ofCallers = {
    ...stored,
    oauthConfig: { ...oauthConfig, ...exchanged, ...settings },
  } as Upstream;
  assertEquals(changesIn(valuesOf(ofCallers), ofCallers), {});
  const again = new URLSearchParams({
    ...Object.fromEntries(valuesOf(ofCallers)),
    oauth_issuer: "https://i",
  });
  assertEquals(changesIn(again, ofCallers).oauth_config, {
    ...{ ...oauthConfig, ...exchanged, ...settings, issuer: "https://i", scopes: "a b" },
  });
  assertEquals(changed({ oauth_client_secret: "new" }).oauth_config, {
    ...{ ...oauthConfig, client_secret: "new", scopes: "a b" },
  });
  // Meanwhile somebody else has written another client id and scope.
  const other = {
    ...stored,
    oauthConfig: { ...oauthConfig, client_id: "d", scopes: ["a", "b", "e"] },
  } as Upstream;
  const opened = { ...Object.fromEntries(shown), seen: String(shown), oauth_scopes: "a c" };
  assertEquals(changesIn(new URLSearchParams(opened), other).oauth_config, {
    ...{ ...oauthConfig, client_id: "d", scopes: "a e c" },
  });
});

Deno.test("a description of several lines, of which the form shows one, is not changed by it", () => {
  const stored = { ...STORED, description: "a\nb" } as Upstream;
  const shown = new URLSearchParams({ ...Object.fromEntries(valuesOf(stored)), description: "ab" });
  assertEquals(changesIn(shown, stored), {});
});

Deno.test("a command's arguments are lines, or a JSON list where lines cannot hold them", () => {
  const stored = (args: string[]) =>
    ({ ...STORED, transport: "STDIO", command: "c", args, env: { A: "*****" }, cwd: null }) as Upstream;
  for (const args of [[], ["a b", "--c"], ["", "a"], ["a\nb"], [" a"], ["[1]"], ['"']]) {
    const upstream = stored(args);
    const shown = valuesOf(upstream);
    assertEquals(changesIn(shown, upstream), {});
    shown.set("args", `${shown.get("args")} `);
    assertEquals(changesIn(shown, upstream), {});
    assertEquals(registrationIn(shown, "command").args ?? [], args);
  }
  const values = new URLSearchParams({
    command: "npx",
    args: "-y\r\nx",
    env: "A=b=c\nD",
    name: "n",
    url: "no",
  });
  assertEquals(registrationIn(values, "command"), {
    ...{ transport: "STDIO", command: "npx", args: ["-y", "x"], env: { A: "b=c", D: "" }, name: "n" },
  });
  assertEquals(registrationIn(new URLSearchParams({ url: "u", name: "n", auth_type: "none" }), "address"), {
    ...{ url: "u", name: "n" },
  });
});

Deno.test("a variable of a command that somebody else has added stays", () => {
  const stored = (env: Record<string, string>) =>
    ({ ...STORED, transport: "STDIO", command: "c", args: [], env, cwd: null }) as Upstream;
  const shown = valuesOf(stored({ A: "*****", B: "*****" }));
  const sent = new URLSearchParams({ ...Object.fromEntries(shown), seen: String(shown), env: "A=1\r\nC=2" });
  assertEquals(changesIn(sent, stored({ A: "*****", B: "*****", D: "*****" })), {
    env: { D: "*****", A: "1", C: "2" },
  });
});

Deno.test("headers of one name stay as many as they are, each in its place", () => {
  const header = (key: string, value = "*****") => ({ key, value });
  const stored = (...authHeaders: { key: string; value: string }[]) =>
    ({ ...STORED, authHeaders }) as Upstream;
  const twice = stored(header("X-Scope"), header("X-Key"), header("X-Scope"));
  const shown = valuesOf(twice);
  const headersIn = (auth_headers: string, present = twice) =>
    changesIn(
      new URLSearchParams({ ...Object.fromEntries(shown), seen: String(shown), auth_headers }),
      present,
    ).auth_headers;
  const lines = ["X-Scope: *****", "X-Key: *****", "X-Scope: *****"];
  assertEquals(headersIn(lines.join("\r\n")), undefined);
  assertEquals(headersIn([...lines, "X-B: b"].join("\n")), [...twice.authHeaders!, header("X-B", "b")]);
  assertEquals(headersIn([...lines.slice(0, 2), "x-scope: new"].join("\n")), [
    ...twice.authHeaders!.slice(0, 2),
    header("x-scope", "new"),
  ]);
  // One of the two is taken away: which one, the REST API is not told, and refuses it.
  assertEquals(headersIn(lines.slice(0, 2).join("\n")), twice.authHeaders!.slice(0, 2));
  // Meanwhile somebody else has added one.
  assertEquals(
    headersIn(["X-Scope: new", ...lines.slice(1)].join("\n"), stored(...twice.authHeaders!, header("X-C"))),
    [header("X-Scope", "new"), ...twice.authHeaders!.slice(1), header("X-C")],
  );
});

Deno.test("a variable that several lines set is refused", () => {
  const faults = (env: string) => repeatedVariablesIn(new URLSearchParams({ env }))?.refused.faults ?? [];
  assertEquals(faults("A=1\r\nB=2\r\n A =3"), [{
    loc: ["body", "env"],
    msg: "several lines set A: keep one of them",
  }]);
  assertEquals(faults("A=1\na=1"), []);
});
