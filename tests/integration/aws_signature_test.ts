// The gateway signs its requests to an upstream behind AWS IAM, which this server checks as AWS documents it ("Create a signed AWS API
// request").
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHash, createHmac } from "node:crypto";
import { whoamiResult } from "../support/login_upstream.ts";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const ID = "AKIAOFTHETEST0000001";
const FIRST_SECRET = "secret/of+the+test";

interface Keys {
  secret: string;
  token: string | null;
}

function isSigned(request: Request, body: string, { secret, token }: Keys): boolean {
  const { headers, method } = request;
  const given =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/
      .exec(headers.get("authorization") ?? "");
  if (given === null) return false;
  const [, id, day, region, service, names, signature] = given;
  const at = headers.get("x-amz-date")!;
  const isNow =
    Math.abs(Date.now() - Date.parse(at.replace(/(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z"))) <
      300_000;
  const isKnown = id === ID && isNow && at.startsWith(day!) && headers.get("x-amz-security-token") === token;
  if (!isKnown || region !== "eu-central-1" || service !== "bedrock-agentcore") return false;
  if (headers.has("mcp-session-id") && !names!.split(";").includes("mcp-session-id")) return false;
  const { pathname, search } = new URL(request.url);
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const encoded = (text: string) =>
    encodeURIComponent(text).replaceAll(
      /[!'()*]/g,
      (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  const canonical = [
    method,
    pathname.split("/").map(encoded).join("/"),
    search.slice(1).split("&").sort().join("&"),
    ...names!.split(";").map((name) => `${name}:${headers.get(name)}`),
    "",
    names,
    hash(body),
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const key = [day!, region!, service!, "aws4_request"].reduce<string | Uint8Array>(
    (former, part) => createHmac("sha256", former).update(part).digest(),
    `AWS4${secret}`,
  );
  const text = ["AWS4-HMAC-SHA256", at, scope, hash(canonical)].join("\n");
  return createHmac("sha256", key).update(text).digest("hex") === signature;
}

/** An MCP server with sessions. */
function signedUpstream(keys: Keys) {
  let refused = 0;
  const server = serveOnLoopback(async (request) => {
    const body = await request.text();
    if (!isSigned(request, body, keys)) {
      refused++;
      return Response.json(
        { message: `no: ${request.headers.get("x-amz-security-token")} ${FIRST_SECRET}` },
        {
          status: 403,
        },
      );
    }
    if (request.method !== "POST") {
      return new Response(null, { status: request.method === "DELETE" ? 200 : 405 });
    }
    const { id, method } = JSON.parse(body);
    if (id === undefined) return new Response(null, { status: 202 });
    const headers = method === "initialize" ? { "mcp-session-id": "s1" } : undefined;
    return Response.json({ jsonrpc: "2.0", id, result: whoamiResult(method, "signed") }, { headers });
  });
  return {
    url:
      `http://127.0.0.1:${server.addr.port}/runtimes/arn%3Aaws%3Aagent%2Fone/invocations?qualifier=DEFAULT`,
    refused: () => refused,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("Requests to an upstream are signed for AWS, with keys and with references to them", async (t) => {
  const directory = await Deno.makeTempDir();
  const keys: Keys = { secret: FIRST_SECRET, token: null };
  await using upstream = signedUpstream(keys);
  await using sluice = await Sluice.start({
    env: { SSRF_ALLOW_LOCALHOST: "true", SECRETS_DIRECTORY: directory },
  });
  const config = (more: Record<string, unknown> = {}) => ({
    ...{
      access_key_id: ID,
      secret_access_key: keys.secret,
      region: "eu-central-1",
      service: "bedrock-agentcore",
    },
    ...more,
  });
  const register = (name: string, aws_config: unknown, more: Record<string, unknown> = {}) =>
    sluice.api("POST", "/gateways", { name, url: upstream.url, auth_type: "aws_sigv4", aws_config, ...more });
  const call = async (name: string) => {
    const { body } = await sluice.rpc("tools/call", { name: `${name}-whoami`, arguments: { text: "ä €" } });
    return body.error?.message ?? body.result.content[0].text;
  };

  await t.step("wrong fields are refused before anything is sent", async () => {
    const wrong: [unknown, string][] = [
      [undefined, "aws_config"],
      [{ ...config(), region: "us east" }, "region"],
      [{ ...config(), service: "a/b" }, "service"],
      [{ ...config(), secret_access_key: 7 }, "secret_access_key"],
      [{ ...config(), secret_access_key: "a\nb" }, "secret_access_key"],
      [{ ...config(), secret_access_key: "*****" }, "none is stored"],
      [{ ...config(), session_token: "x".repeat(9_000) }, "session_token"],
      [{ ...config(), profile: "default" }, "profile"],
    ];
    for (const [given, words] of wrong) {
      const { status, body } = await register("wrong", given);
      assertEquals(status, 422, JSON.stringify(body));
      assertStringIncludes(JSON.stringify(body), words);
    }
    const socket = await register("socket", config(), { url: "ws://127.0.0.1:1/", transport: "WEBSOCKET" });
    assertEquals(socket.status, 422);
    assertStringIncludes(JSON.stringify(socket.body), "are not signed");
    assertEquals(upstream.refused(), 0);
  });

  await t.step("keys", async () => {
    const { status, body } = await register("keys", config());
    assertEquals([status, body.toolCount, body.authType], [200, 1, "aws_sigv4"], JSON.stringify(body));
    assertEquals(body.awsConfig, { ...config(), secret_access_key: "*****", session_token: null });
    assertEquals(await Promise.all([call("keys"), call("keys"), call("keys")]), Array(3).fill("signed"));
    const again = await sluice.api("PUT", "/gateways/keys", {
      aws_config: { ...body.awsConfig, session_token: undefined },
    });
    assertEquals([again.status, await call("keys")], [200, "signed"], JSON.stringify(again.body));
    const others = { ...body.awsConfig, access_key_id: "AKIAOTHER", session_token: undefined };
    assertEquals((await sluice.api("PUT", "/gateways/keys", { aws_config: others })).status, 422);
  });

  await t.step("references to temporary keys, which change", async () => {
    keys.token = "first/token==";
    await Deno.writeTextFile(`${directory}/secret`, keys.secret);
    await Deno.writeTextFile(`${directory}/token`, keys.token);
    const referred = { secret_access_key: "${file:secret}", session_token: "${file:token}" };
    const { status, body } = await register("referred", config(referred));
    assertEquals([status, await call("referred")], [200, "signed"], JSON.stringify(body));
    keys.secret = "another+secret";
    keys.token = "second/token==";
    await Deno.writeTextFile(`${directory}/secret`, keys.secret);
    await Deno.writeTextFile(`${directory}/token`, keys.token);
    // A refused secret is read again at most each second.
    await waitFor(async () => await call("referred") === "signed", { what: "the new secret to be used" });
  });

  await t.step("no secret in answers, exports and logs", async () => {
    assertStringIncludes(await call("keys"), "403");
    const shown = JSON.stringify([
      (await sluice.api("GET", "/gateways")).body,
      (await sluice.api("GET", "/export")).body,
    ]);
    const { stdout, stderr } = sluice;
    const logs = [...stdout.lines, ...stderr.lines].join("\n");
    for (const secret of [FIRST_SECRET, keys.secret, "first/token==", "second/token=="]) {
      assert(!shown.includes(secret) && !logs.includes(secret));
    }
  });
  await Deno.remove(directory, { recursive: true });
});
