// A reverse proxy that publishes a gateway below a path and strips it, as nginx does with `location /prefix/ { proxy_pass …/; }`.
import { serveOnLoopback } from "./loopback_server.ts";

export interface PrefixProxy extends AsyncDisposable {
  /** With the prefix. */
  readonly url: string;
}

/** @param headers added to each request */
export function proxyBelow(
  prefix: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): PrefixProxy {
  const server = serveOnLoopback((request) => {
    const { pathname, search } = new URL(request.url);
    if (!pathname.startsWith(`${prefix}/`)) return new Response(null, { status: 404 });
    const forwarded = new Request(target + pathname.slice(prefix.length) + search, request);
    for (const [name, value] of Object.entries(headers)) forwarded.headers.set(name, value);
    return fetch(forwarded);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}${prefix}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
