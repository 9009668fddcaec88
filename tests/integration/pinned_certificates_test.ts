// An upstream whose own certificate is registered as `ca_certificate`, though it is marked as an authority: the default of
// `openssl req -x509`. It is trusted over every transport, and no other certificate is.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { post, toolCall } from "../support/mcp_post.ts";
import { openssl } from "../support/self_signed.ts";
import { Sluice } from "../support/sluice.ts";

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

async function selfSigned(
  folder: string,
  name: string,
  newKey: readonly string[],
  names = "DNS:localhost,IP:127.0.0.1",
): Promise<Certificate> {
  const [key, cert] = [`${folder}/${name}.key`, `${folder}/${name}.pem`];
  const files = ["-keyout", key, "-out", cert];
  const subject = ["-subj", "/CN=localhost", "-addext", `subjectAltName=${names}`];
  await openssl("req", "-x509", "-nodes", ...files, ...subject, "-newkey", ...newKey, "-days", "2");
  return { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
}

/** `openssl req` makes certificates that are valid from now on; `openssl ca` takes other dates. */
async function expired(folder: string, newKey: readonly string[]): Promise<Certificate> {
  const at = (name: string) => `${folder}/old.${name}`;
  const config = [
    ...["[ca]", "default_ca=own", "[own]", `database=${at("index")}`, `serial=${at("serial")}`],
    ...[`new_certs_dir=${folder}`, "default_md=sha256", "policy=any", "[any]", "commonName=supplied"],
    ...["[extensions]", "basicConstraints=critical,CA:TRUE", "subjectAltName=DNS:localhost"],
  ];
  await Deno.writeTextFile(at("conf"), config.join("\n"));
  await Deno.writeTextFile(at("index"), "");
  await Deno.writeTextFile(at("serial"), "01\n");
  const request = ["-keyout", at("key"), "-out", at("csr"), "-subj", "/CN=localhost"];
  await openssl("req", "-new", "-nodes", "-newkey", ...newKey, ...request);
  const dates = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"];
  const files = ["-config", at("conf"), "-keyfile", at("key"), "-in", at("csr"), "-out", at("pem")];
  await openssl("ca", "-batch", "-notext", "-selfsign", "-extensions", "extensions", ...files, ...dates);
  return { cert: await Deno.readTextFile(at("pem")), key: await Deno.readTextFile(at("key")) };
}

/** One server with all transports: /mcp, /sse and /ws. */
function serve({ cert, key }: Certificate) {
  const encoder = new TextEncoder();
  let say: (event: string, data: string) => void = () => {};
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, cert, key, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/ws") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => {
        const answer = answerTo(JSON.parse(data));
        if (answer !== null) socket.send(answer);
      };
      return response;
    }
    if (pathname === "/sse") {
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          say = (event, data) => controller.enqueue(encoder.encode(`event: ${event}\ndata: ${data}\n\n`));
          say("endpoint", "/message");
        },
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    }
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const answer = answerTo(await request.json());
    if (pathname === "/message" && answer !== null) say("message", answer);
    if (pathname === "/message" || answer === null) return new Response(null, { status: 202 });
    return new Response(answer, { headers: { "content-type": "application/json" } });
  });
  return server;
}

// deno-lint-ignore no-explicit-any -- messages of every shape
function answerTo({ id, method, params }: any): string | null {
  if (id === undefined || method === undefined) return null;
  const say = (result: unknown) => JSON.stringify({ jsonrpc: "2.0", id, result });
  switch (method) {
    case "initialize": {
      const { protocolVersion } = params;
      return say({
        protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "secure", version: "1" },
      });
    }
    case "tools/list":
      return say({ tools: [{ name: "hi", inputSchema: { type: "object" } }] });
    case "tools/call":
      return say({ content: [{ type: "text", text: "hi" }] });
    case "ping":
      return say({});
    default:
      return JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } });
  }
}

const TRANSPORTS = [["STREAMABLEHTTP", "https", "/mcp"], ["SSE", "https", "/sse"], [
  "WEBSOCKET",
  "wss",
  "/ws",
]] as const;

Deno.test("A certificate that is marked as an authority is trusted where it is the upstream's own", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_pinned_" });
  const ec = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const own = await selfSigned(folder, "own", ["rsa:2048"]);
  const other = await selfSigned(folder, "other", ec);
  const named = await selfSigned(folder, "named", ec, "DNS:else.test");
  const old = await expired(folder, ec);
  await Deno.remove(folder, { recursive: true });
  const servers = new Map([own, other, named, old].map((made) => [made, serve(made)]));
  const placeOf = (made: Certificate, scheme: string, path: string, host = "localhost") =>
    `${scheme}://${host}:${servers.get(made)!.addr.port}${path}`;

  for (const http2 of ["false", "true"]) {
    await using sluice = await Sluice.start({ env: { HTTP_CLIENT_HTTP2_ENABLED: http2 } });
    const call = async (name: string) =>
      (await post(sluice, toolCall(`${name}-hi`), { path: "/rpc" })).body.result?.content[0].text;
    const refusal = async (body: Record<string, unknown>): Promise<string> => {
      // Its credentials tell it from the gateways that have the same URL.
      const credentials = { auth_type: "bearer", auth_token: "x" };
      const answer = await sluice.api("POST", "/gateways", { name: "refused", ...credentials, ...body });
      assertEquals(answer.status, 502, JSON.stringify(answer.body));
      return answer.body.detail;
    };
    await t.step(`over every transport, HTTP/2 offered: ${http2}`, async () => {
      for (const [transport, scheme, path] of TRANSPORTS) {
        const name = transport.toLowerCase();
        const url = placeOf(own, scheme, path);
        await sluice.registerUpstream(name, url, { transport, ca_certificate: own.cert });
        for (let i = 0; i < 4; i++) assertEquals(await call(name), "hi", name);
      }
      // Together with other certificates, for an IP address, and with a key of another kind.
      const ca_certificate = own.cert + other.cert;
      await sluice.registerUpstream("address", placeOf(own, "https", "/mcp", "127.0.0.1"), {
        ca_certificate,
      });
      await sluice.registerUpstream("curve", placeOf(other, "https", "/mcp"), { ca_certificate });
      assertEquals([await call("address"), await call("curve")], ["hi", "hi"]);
    });
    await t.step(`other certificates stay refused, HTTP/2 offered: ${http2}`, async () => {
      for (const [transport, scheme, path] of TRANSPORTS) {
        const url = placeOf(other, scheme, path);
        const detail = await refusal({ url, transport, ca_certificate: own.cert });
        assertStringIncludes(detail, "its certificate is not signed by a known authority");
      }
      const url = placeOf(own, "https", "/mcp");
      assertStringIncludes(await refusal({ url }), "is marked as an authority (CA:TRUE)");
      const late = { url: placeOf(old, "https", "/mcp"), ca_certificate: old.cert };
      assertStringIncludes(await refusal(late), "its certificate has expired");
      const misnamed = { url: placeOf(named, "https", "/mcp"), ca_certificate: named.cert };
      assertStringIncludes(await refusal(misnamed), 'its certificate is not valid for "localhost"');
    });
  }
  await Promise.all([...servers.values()].map((server) => server.shutdown()));
});
