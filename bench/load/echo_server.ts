// The yardstick: what Deno.serve needs to answer with the body that it was sent. Argument: the port.

Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen: () => {} },
  async (request) => new Response(await request.text(), { headers: { "content-type": "application/json" } }),
);
