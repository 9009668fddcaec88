// Servers that an operator might take for an MCP server, and that are none, each with one fault.
import { serveOnLoopback } from "./loopback_server.ts";

export type Fault =
  | "login page"
  | "wants credentials"
  | "wants other credentials"
  | "limit"
  | "error page"
  | "redirect"
  | "redirect loop"
  | "no such path"
  | "other answer"
  | "silence"
  | "broken JSON";

/** @param to where `redirect` leads */
export function startSick(fault: Fault, to?: string): AsyncDisposable & { readonly url: string } {
  const answers: Readonly<Record<Fault, (request: Request) => Response | Promise<Response>>> = {
    "login page": () =>
      new Response("<html><title>Sign in</title></html>", { headers: { "content-type": "text/html" } }),
    "wants credentials": () =>
      new Response(null, {
        status: 401,
        headers: { "www-authenticate": 'Bearer resource_metadata="https://auth.example.com/.well-known"' },
      }),
    "wants other credentials": () => new Response("no", { status: 403 }),
    limit: () => new Response(null, { status: 429, headers: { "retry-after": "30" } }),
    "error page": () =>
      new Response("<h1>502 Bad Gateway</h1>", { status: 502, headers: { server: "nginx/1.22.1" } }),
    redirect: () => new Response(null, { status: 308, headers: { location: to! } }),
    "redirect loop": ({ url }) => new Response(null, { status: 307, headers: { location: url } }),
    "no such path": () => new Response("Not Found", { status: 404 }),
    "other answer": () => Response.json({ hello: "world" }),
    silence: () => new Promise(() => {}),
    "broken JSON": () => new Response('{"jsonrpc":', { headers: { "content-type": "application/json" } }),
  };
  const server = serveOnLoopback(async (request) => {
    await request.body?.cancel();
    return await answers[fault](request);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      // A request without an answer would hold a shutdown.
      void server.shutdown();
      await Promise.resolve();
    },
  };
}
