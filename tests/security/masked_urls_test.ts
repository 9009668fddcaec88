// The URL of an upstream can be its credential: other users see the origin, and nobody sees a value of the query.
import { assertEquals } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { counterLaunch } from "../support/stdio_upstream.ts";
import { Sluice } from "../support/sluice.ts";

const PATH = "/s/0123456789abcdefghij-path/mcp";
const QUERY = "key=hush-query&v=2&hush-bare";
const SECRETS = ["0123456789abcdefghij-path", "hush-query", "hush-bare"];

/** An upstream that wants `PATH?QUERY`, and repeats any other address in its error page. */
class FussyUpstream implements AsyncDisposable {
  readonly #inner = FastUpstream.start();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  isBroken = false;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { pathname, search } = new URL(request.url);
      if (this.isBroken || pathname !== PATH || search !== `?${QUERY}`) {
        return new Response(`Cannot ${request.method} ${pathname}${search}`, { status: 500 });
      }
      const { method, headers } = request;
      const body = method === "GET" ? null : await request.text();
      return await fetch(this.#inner.url, { method, headers, body });
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.#inner[Symbol.asyncDispose]();
  }
}

Deno.test("Nobody reads the secrets in an upstream's URL, and others than administrators its origin alone", async () => {
  await using upstream = new FussyUpstream();
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  const { origin } = upstream;
  const registered = await sluice.registerUpstream("up", `${origin}${PATH}?${QUERY}`);
  const masked = `${origin}${PATH}?key=*****&v=*****&*****`;
  assertEquals(registered.url, masked);

  const tool = (await sluice.api("GET", "/tools")).body[0];
  const server = { server: { id: "srv", name: "srv", associated_tools: [tool.id] } };
  assertEquals((await sluice.api("POST", "/servers", server)).status, 201);
  const paths = [
    "/gateways",
    `/gateways/${registered.id}`,
    "/tools",
    `/tools/${tool.id}`,
    "/servers/srv/tools",
  ];
  const readers: [who: string, token: string, url: string][] = [
    ["an administrator", await sluice.token(), masked],
    // A token that names no team narrows the administrator to what a user without teams may do.
    ["an administrator without teams", await sluice.token({ claims: { teams: [] } }), origin],
    ["a user", await sluice.token({ admin: false, username: "eve@x" }), origin],
    ["an administrator, again", await sluice.token(), masked],
  ];
  const urlsIn = (text: string) => new Set(Array.from(text.matchAll(/"url":"([^"]*)"/g), ([, url]) => url));
  for (const [who, token, url] of readers) {
    for (const path of paths) {
      const { status, body } = await sluice.api("GET", path, undefined, token);
      const text = JSON.stringify(body);
      assertEquals([who, path, status, urlsIn(text)], [who, path, 200, new Set([url])]);
      const seen = SECRETS.filter((secret) => text.includes(secret));
      assertEquals([who, path, seen], [who, path, url === origin ? [] : [SECRETS[0]]]);
    }
  }

  // What was read is written back, with another field changed.
  const change = { ...registered, description: "changed" };
  const changed = await sluice.api("PUT", `/gateways/${registered.id}`, change);
  assertEquals([changed.status, changed.body.url, changed.body.description], [200, masked, "changed"]);
  const called = await sluice.rpc("tools/call", { name: "up-echo", arguments: { message: "x" } });
  assertEquals(called.body.result.content.length, 1);
  const unknown = await sluice.api("PUT", `/gateways/${registered.id}`, {
    url: `${origin}${PATH}?other=*****`,
  });
  assertEquals([unknown.status, unknown.body.detail[0].loc], [422, ["body", "url"]]);

  // An error page repeats the address.
  upstream.isBroken = true;
  const user = await sluice.token({ admin: false, username: "eve@x" });
  const failed = await sluice.rpc("tools/call", { name: "up-echo", arguments: { message: "x" } }, user);
  const refreshed = await sluice.api("POST", `/gateways/${registered.id}/tools/refresh`);
  const { body: after } = await sluice.api("GET", "/gateways", undefined, user);
  // Its words are for whoever manages upstreams, not for callers.
  const whoReads = [failed, refreshed].map(({ body }) => JSON.stringify(body).includes("Cannot POST"));
  assertEquals([failed.body.error.data.code, refreshed.status, whoReads], ["UPSTREAM_HTTP_ERROR", 502, [
    false,
    true,
  ]]);
  for (const text of [failed.body, refreshed.body, after].map((body) => JSON.stringify(body))) {
    assertEquals([text, SECRETS.filter((secret) => text.includes(secret))], [text, []]);
  }
  const log = sluice.stdout.tail(10_000) + sluice.stderr.tail(10_000);
  assertEquals(["hush-query", "hush-bare"].filter((secret) => log.includes(secret)), []);
});

Deno.test("Administrators alone read how a process is started", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1", STDIO_ENABLED: "true" } });
  const { command, args } = counterLaunch("hush-argument");
  const body = { name: "up", transport: "STDIO", command, args, env: { HUSH_NAME: "hush-value" } };
  const { status, body: registered } = await sluice.api("POST", "/gateways", body);
  assertEquals([status, registered.command, registered.args], [200, command, args]);
  const user = await sluice.token({ admin: false, username: "eve@x" });
  const tool = (await sluice.api("GET", "/tools")).body[0];
  for (const path of ["/gateways", `/gateways/${registered.id}`, "/tools", `/tools/${tool.id}`]) {
    const { status, body } = await sluice.api("GET", path, undefined, user);
    const text = JSON.stringify(body);
    assertEquals([path, status, text.includes('"url":"stdio:"')], [path, 200, true]);
    for (const secret of ["hush", command, "HUSH_NAME"]) {
      assertEquals([path, text.includes(secret)], [path, false]);
    }
  }
});
