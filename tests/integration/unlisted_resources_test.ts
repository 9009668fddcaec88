// Resources that no list has: links that tools return, MCP Apps, and whatever else an upstream alone knows.
import { assertEquals } from "@std/assert";
import { gatewayTest } from "../support/gateway_tests.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { mcpSession } from "../support/mcp_session.ts";
import { startEverything } from "../support/upstream_everything.ts";

const LINK = "report://2026/42.csv";

/** Reads any URI, and lists `listed`. */
function readsAnything(name: string, { listed = [], link, meta }: {
  readonly listed?: readonly string[];
  readonly link?: string;
  readonly meta?: unknown;
}): ListingUpstream {
  const upstream = new ListingUpstream({ capabilities: { tools: {}, resources: {} } });
  upstream.tools = [{ name: "export", inputSchema: { type: "object" }, _meta: meta }];
  upstream.result("resources/list", { resources: listed.map((uri) => ({ uri, name: uri })) });
  const content = link === undefined ? [] : [{ type: "resource_link", uri: link, name: "it" }];
  upstream.result("tools/call", { content });
  upstream.answers.set(
    "resources/read",
    ({ params: { uri } }) =>
      uri.startsWith("none:")
        ? { error: { code: -32002, message: "Resource not found" } }
        : { result: { contents: [{ uri, text: name }] } },
  );
  return upstream;
}

gatewayTest("Resources that no list has are read from the upstream that has named them", async (start, t) => {
  await using reports = readsAnything("reports", { listed: ["secret://listed"], link: LINK });
  await using app = readsAnything("app", {
    listed: ["ui://chart/listed", "secret://app"],
    meta: { ui: { resourceUri: "ui://chart/listed" } },
  });
  await using hidden = readsAnything("hidden", {
    listed: ["secret://hidden"],
    meta: { "ui/resourceUri": "ui://chart/unlisted" },
  });
  await using sluice = await start();
  for (const [name, { url }] of Object.entries({ reports, app, hidden })) {
    await sluice.registerUpstream(name, url);
  }
  const { body: tools } = await sluice.api("GET", "/tools");
  const idOf = (name: string) => tools.find((tool: { name: string }) => tool.name === name).id;
  const associated_tools = ["reports-export", "app-export", "hidden-export"].map(idOf);
  await sluice.api("POST", "/servers", { server: { id: "tools", name: "Tools", associated_tools } });
  const [alice, bob] = await Promise.all(
    ["alice@x.org", "bob@x.org"].map((username) => sluice.token({ admin: false, username })),
  );
  const rpc = async (token: string, method: string, params: object) => {
    const { body } = await sluice.api("POST", "/rpc", {
      ...{ jsonrpc: "2.0", id: 1, method },
      params: { ...params, server_id: "tools" },
    }, token);
    return body.result ?? body.error.data.code;
  };
  const read = async (token: string, uri: string) => {
    const found = await rpc(token, "resources/read", { uri });
    return found.contents?.[0].text ?? found;
  };

  await t.step("a link is good for the caller that was given it, on every worker", async () => {
    assertEquals(await read(alice!, LINK), "RESOURCE_NOT_FOUND");
    await rpc(alice!, "tools/call", { name: "reports-export" });
    for (let i = 0; i < 8; i++) assertEquals(await read(alice!, LINK), "reports");
    assertEquals(await read(bob!, LINK), "RESOURCE_NOT_FOUND");
    // The virtual server has one tool of the upstream, and not its resources.
    assertEquals(await read(alice!, "secret://listed"), "RESOURCE_NOT_FOUND");
    assertEquals(await read(alice!, "secret://unlisted"), "RESOURCE_NOT_FOUND");
  });

  await t.step("a tool brings the resource that shows its results", async () => {
    assertEquals([await read(bob!, "ui://chart/listed"), await read(bob!, "ui://chart/unlisted")], [
      "app",
      "hidden",
    ]);
    const { resources } = await rpc(bob!, "resources/list", {});
    assertEquals(resources.map(({ uri }: { uri: string }) => uri), ["ui://chart/listed"]);
    assertEquals(await read(bob!, "ui://chart/other"), "RESOURCE_NOT_FOUND");
  });

  await t.step("where nothing is left out, each upstream is asked in order", async () => {
    const all = async (uri: string) => {
      const { body } = await sluice.rpc("resources/read", { uri });
      return body.result?.contents[0].text ?? body.error.data.code;
    };
    assertEquals(await all("any://thing"), "reports");
    assertEquals(await all("none://thing"), "RESOURCE_NOT_FOUND");
    reports.answers.set("resources/read", () => ({ result: { contents: [] } }));
    assertEquals(await all("other://thing"), "app");
  });
});

gatewayTest(
  "A link of server-everything is read and subscribed to where its tool is all there is",
  async (start) => {
    await using upstream = await startEverything();
    await using sluice = await start();
    await sluice.registerUpstream("everything", upstream.url);
    const { body: tools } = await sluice.api("GET", "/tools");
    const name = "everything-gzip-file-as-resource";
    const associated_tools = [tools.find((tool: { name: string }) => tool.name === name).id];
    await sluice.api("POST", "/servers", { server: { id: "gzip", name: "Gzip", associated_tools } });
    for (const path of ["/mcp", "/servers/gzip/mcp"]) {
      const ask = await mcpSession(sluice.url + path, await sluice.token());
      const args = { name: "x.gz", data: "data:text/plain;base64,aGVsbG8=", outputType: "resourceLink" };
      const { result } = await ask("tools/call", { name, arguments: args });
      const { uri } = result.content[0];
      assertEquals(uri, "demo://resource/session/x.gz");
      const found = await ask("resources/read", { uri });
      assertEquals(found.result.contents[0].mimeType, "application/gzip", path);
      assertEquals((await ask("resources/subscribe", { uri })).result, {});
      assertEquals((await ask("resources/unsubscribe", { uri })).result, {});
    }
  },
);
