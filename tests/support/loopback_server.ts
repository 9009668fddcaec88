// HTTP servers that tests bring along, on the loopback interface.

/** Serves on a port, default: a free one, until `shutdown()`. A handler that throws answers 500, and writes nothing to the test's output. */
export function serveOnLoopback(handler: Deno.ServeHandler, port = 0): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({
    hostname: "127.0.0.1",
    port,
    onListen: () => {},
    onError: () => new Response(null, { status: 500 }),
  }, handler);
}
