// An upstream on Node's TLS that wants a certificate of its clients, over HTTP/1.1 and HTTP/2: /mcp (streamable HTTP) and /sse. Its
// tool `whoami` says whose certificate the connection has, the version of HTTP, and whether the TLS session is a resumed one.
import type { Authority, Pair } from "./client_authority.ts";
import { endChild } from "./end_child.ts";
import { nodeProgram } from "./npm_programs.ts";

const SERVER = `
const { readFileSync } = require("node:fs");
const [cert, key, ca, tls] = process.argv.slice(1);
const options = {
  cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca),
  requestCert: true, rejectUnauthorized: true, allowHTTP1: true, maxVersion: tls,
};
let say = () => {};
const server = require("node:http2").createSecureServer(options, (request, response) => {
  const { pathname } = new URL(request.url, "https://x");
  const socket = request.httpVersionMajor === 2 ? request.stream.session.socket : request.socket;
  const who = [socket.getPeerCertificate().subject.CN, request.httpVersion, socket.isSessionReused()].join(" ");
  if (request.method === "GET" && pathname === "/sse") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    say = (event, data) => response.write("event: " + event + "\\ndata: " + data + "\\n\\n");
    return say("endpoint", "/message");
  }
  if (request.method !== "POST") return response.writeHead(405).end();
  let text = "";
  request.on("data", (data) => text += data).on("end", () => {
    const { id, method, params } = JSON.parse(text);
    const result = method === "initialize"
      ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } }
      : method === "tools/list"
      ? { tools: [{ name: "whoami", inputSchema: { type: "object" } }] }
      : method === "tools/call" ? { content: [{ type: "text", text: who }] } : method === "ping" ? {} : undefined;
    const answer = JSON.stringify(
      result === undefined
        ? { jsonrpc: "2.0", id, error: { code: -32601, message: "no" } }
        : { jsonrpc: "2.0", id, result },
    );
    if (id !== undefined && pathname === "/message") say("message", answer);
    if (id === undefined || pathname === "/message") return response.writeHead(202).end();
    response.writeHead(200, { "content-type": "application/json" }).end(answer);
  });
});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

export interface CertifiedUpstream extends AsyncDisposable {
  readonly origin: string;
}

/** @param clients the authority of the certificates that it accepts */
export async function startCertifiedUpstream(
  own: Pair,
  clients: Authority,
  tls: "TLSv1.2" | "TLSv1.3" = "TLSv1.3",
): Promise<CertifiedUpstream> {
  const child = new Deno.Command(nodeProgram(), {
    args: ["-e", SERVER, own.certFile, own.keyFile, clients.certFile, tls],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const port = new TextDecoder().decode((await reader.read()).value).trim();
  return {
    origin: `https://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await endChild(child, "SIGKILL");
      await reader.cancel();
    },
  };
}
