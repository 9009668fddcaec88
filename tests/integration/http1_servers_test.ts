// The upstream HTTP/1.1 client against real servers: Deno.serve, Node's http, nginx; bare and over TLS.

import { assert, assertEquals } from "@std/assert";
import { endChild } from "../support/end_child.ts";
import { freePort } from "../support/free_port.ts";
import { clientOf, get, MAX, post, rejects, type Running, textOf } from "../support/http1_hostile.ts";
import { nodeProgram } from "../support/npm_programs.ts";
import { canLeaveOut } from "../support/programs.ts";
import { waitFor } from "../support/wait_for.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const PARTS = ["one ", "two ", "thr\u00e9e"];

async function startDenoServe(tls: { cert?: string; key?: string } = {}): Promise<Running> {
  const handler = async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/echo") return new Response(await request.text(), { headers: { "x-query": search } });
    if (pathname === "/nothing") return new Response(null, { status: 204 });
    if (pathname === "/elsewhere") return new Response(null, { status: 302, headers: { location: "/echo" } });
    if (pathname === "/close") return new Response("bye", { headers: { connection: "close" } });
    if (pathname === "/chunked") {
      const parts = PARTS.map(encode);
      return new Response(ReadableStream.from(parts));
    }
    return new Response("no", { status: 404 });
  };
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {}, ...tls };
  const server = Deno.serve(options as Deno.ServeTcpOptions, handler);
  const scheme = tls.cert === undefined ? "http" : "https";
  return {
    url: `${scheme}://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
      await server.finished;
    },
  };
}

const NODE_SERVER = `
const parts = ${JSON.stringify(PARTS)};
const server = require("node:http").createServer((request, response) => {
  const { pathname, search } = new URL(request.url, "http://x");
  if (pathname === "/nothing") return response.writeHead(204).end();
  if (pathname === "/elsewhere") return response.writeHead(302, { location: "/echo" }).end();
  if (pathname === "/close") return response.writeHead(200, { connection: "close" }).end("bye");
  if (pathname === "/chunked") {
    for (const part of parts) response.write(part);
    response.addTrailers({ "x-sum": "1" });
    return response.end();
  }
  let text = "";
  request.setEncoding("utf8").on("data", (data) => text += data).on("end", () => {
    response.setHeader("x-query", search);
    response.end(text);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

async function startNode(): Promise<Running> {
  const child = new Deno.Command(nodeProgram(), { args: ["-e", NODE_SERVER], stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  const port = new TextDecoder().decode((await reader.read()).value).trim();
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await endChild(child, "SIGKILL");
      await reader.cancel();
    },
  };
}

for (const [name, start] of [["Deno.serve", () => startDenoServe()], ["Node's http", startNode]] as const) {
  Deno.test(`Http1Client speaks with ${name}: bodies, no bodies, chunks, one connection for all`, async () => {
    await using server = await start();
    using client = clientOf();
    const large = "語 and ascii ".repeat(100_000);
    for (const body of ["", "{}", large]) {
      const response = await client.send(post(`${server.url}/echo?a=%20b&c=d`, body));
      assertEquals([response.status, response.header("x-query")], [200, "?a=%20b&c=d"]);
      assertEquals(await response.text(MAX) === body, true);
    }
    assertEquals(await textOf(client.send(get(`${server.url}/chunked`))), PARTS.join(""));
    const pieces: Uint8Array[] = [];
    for await (const piece of (await client.send(get(`${server.url}/chunked`))).chunks()) pieces.push(piece);
    assertEquals(await new Blob(pieces as BlobPart[]).text(), PARTS.join(""));
    const nothing = await client.send(post(`${server.url}/nothing`, "x"));
    assertEquals([nothing.status, await nothing.text(MAX)], [204, ""]);
    const redirect = await client.send(get(`${server.url}/elsewhere`));
    assertEquals([redirect.status, redirect.header("location")], [302, "/echo"]);
    redirect.discard();
    const head = await client.send(get(`${server.url}/chunked`, { method: "HEAD" }));
    assertEquals([head.status, await head.text(MAX)], [200, ""]);
    assertEquals(client.stats, { open: 1, idle: 1, waiting: 0, created: 1, reused: 7 });
    assertEquals(await textOf(client.send(get(`${server.url}/close`))), "bye");
    assertEquals(client.stats.open, 0);
  });

  Deno.test(`Http1Client shares few connections with ${name} between many requests`, async () => {
    await using server = await start();
    using client = clientOf({ maxConnections: 4, maxKeepaliveConnections: 4 });
    const bodies = Array.from({ length: 200 }, (_, i) => `body ${i}`);
    const answers = await Promise.all(
      bodies.map((body) => textOf(client.send(post(`${server.url}/echo`, body)))),
    );
    assertEquals(answers, bodies);
    assertEquals(client.stats, { open: 4, idle: 4, waiting: 0, created: 4, reused: 196 });
  });
}

async function startNginx(extra = ""): Promise<Running & { readonly folder: string }> {
  const folder = await Deno.makeTempDir();
  const port = freePort();
  await Deno.writeTextFile(`${folder}/large.txt`, "0123456789".repeat(300_000));
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
     events { worker_connections 64; }
     http {
       access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
       fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       keepalive_requests 3; client_max_body_size 1k; lingering_close off;
       server { listen 127.0.0.1:${port}; root ${folder}; location /hello { return 200 "hello"; } ${extra} }
     }`,
  );
  const child = new Deno.Command("nginx", {
    args: ["-p", folder, "-c", `${folder}/nginx.conf`],
    stderr: "null",
  }).spawn();
  await waitFor(async () => (await Deno.connect({ hostname: "127.0.0.1", port })).close() === undefined, {
    what: "nginx to listen",
  });
  return {
    url: `http://127.0.0.1:${port}`,
    folder,
    [Symbol.asyncDispose]: async () => {
      await endChild(child);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const withoutNginx = canLeaveOut("nginx");
if (withoutNginx) {
  console.log("left out: tests of http1_client with nginx (Debian package nginx is not installed)");
}

Deno.test({
  name: "Http1Client speaks with nginx: files, its limit on requests per connection, an early refusal",
  ignore: withoutNginx,
  fn: async () => {
    await using server = await startNginx();
    using client = clientOf();
    for (let i = 0; i < 7; i++) assertEquals(await textOf(client.send(get(`${server.url}/hello`))), "hello");
    // nginx says `connection: close` with each third answer.
    assertEquals([client.stats.created, client.stats.reused], [3, 4]);
    const file = await textOf(client.send(get(`${server.url}/large.txt`)));
    assertEquals([file.length, file.slice(-10)], [3_000_000, "0123456789"]);
    await rejects(
      async () => (await client.send(get(`${server.url}/large.txt`))).text(1_000),
      "UPSTREAM_RESPONSE_TOO_LARGE",
    );
    const refused = await client.send(post(`${server.url}/hello`, "x".repeat(20_000_000)));
    assertEquals(refused.status, 413);
    refused.discard();
    assertEquals((await client.send(get(`${server.url}/none`))).status, 404);
  },
});

async function openssl(folder: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder, stderr: "piped" })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** A private CA, and a certificate of it for the name up.test and for 127.0.0.1. */
async function makeCertificates(): Promise<{ ca: string; cert: string; key: string }> {
  const folder = await Deno.makeTempDir();
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await Deno.writeTextFile(`${folder}/names`, "subjectAltName=DNS:up.test,IP:127.0.0.1\n");
  await openssl(
    folder,
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=Test CA",
  );
  await openssl(folder, "req", ...newKey, "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=up.test");
  const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
  await openssl(folder, "x509", "-req", "-in", "csr.pem", ...sign, "-out", "cert.pem");
  const [ca, cert, key] = await Promise.all(
    ["ca.pem", "cert.pem", "key.pem"].map((name) => Deno.readTextFile(`${folder}/${name}`)),
  );
  await Deno.remove(folder, { recursive: true });
  return { ca, cert, key };
}

Deno.test("Http1Client over TLS: the host's name is verified, the connection goes to the checked address", async () => {
  const { ca: caCertificate, cert, key } = await makeCertificates();
  await using server = await startDenoServe({ cert, key });
  const checked: string[] = [];
  using client = clientOf({
    resolve: () => Promise.resolve(["127.0.0.1"]),
    checkAddress: (hostname, ip, upstream) => void checked.push(`${hostname} ${ip} ${upstream}`),
  });
  const at = (host: string) => server.url.replace("127.0.0.1", host) + "/echo";
  for (let i = 0; i < 3; i++) {
    assertEquals(
      (await textOf(client.send(post(at("up.test"), "secret".repeat(50_000), { caCertificate })))).length,
      300_000,
    );
  }
  assertEquals([client.stats.created, checked], [1, ["up.test 127.0.0.1 up"]]);
  assertEquals(await textOf(client.send(post(at("127.0.0.1"), "ip", { caCertificate }))), "ip");

  const name = await rejects(
    () => client.send(post(at("other.test"), "x", { caCertificate })),
    "UPSTREAM_TLS_FAILED",
  );
  assertEquals(
    name.message,
    'Cannot open a TLS connection to upstream "up": its certificate is not valid for "other.test"',
  );
  // Without the CA, not even over the connection that somebody with it has opened.
  const issuer = await rejects(() => client.send(post(at("up.test"), "x")), "UPSTREAM_TLS_FAILED");
  assert(issuer.message.includes("register the upstream with the field ca_certificate"));
  await using bare = await startDenoServe();
  const noTls = await rejects(
    () => client.send(get(bare.url.replace("http:", "https:"))),
    "UPSTREAM_TLS_FAILED",
  );
  assert(noTls.message.endsWith("it does not speak TLS on this port"));
  await rejects(() => client.send(get(server.url.replace("https:", "http:"))), "UPSTREAM_PROTOCOL_ERROR");
});
