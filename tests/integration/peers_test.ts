// Servers and clients of other projects with the gateway between them: filesystem, memory and time servers behind mcp-proxy,
// the SDK's clients of both lines, mcp-remote and the Inspector in front.
import { assert, assertEquals } from "@std/assert";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { gatewayTest } from "../support/gateway_tests.ts";
import { connectV1, connectV2, inspect, type McpClient } from "../support/mcp_clients.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { startBehindMcpProxy } from "../support/upstream_mcp_proxy.ts";

gatewayTest("Stdio servers behind mcp-proxy work from every client", async (start, t) => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_peers_" });
  await Deno.writeTextFile(`${folder}/greeting.txt`, "hello from a file");
  try {
    await using files = await startBehindMcpProxy(["mcp-server-filesystem", folder]);
    await using memory = await startBehindMcpProxy(["mcp-server-memory"], {
      MEMORY_FILE_PATH: `${folder}/memory.jsonl`,
    });
    await using time = await startBehindMcpProxy(["time-mcp"]);
    await using sluice = await start();
    const token = await sluice.token();
    const url = `${sluice.url}/mcp`;
    const counts = [];
    for (const [name, upstream] of Object.entries({ files, memory, time })) {
      counts.push((await sluice.registerUpstream(name, upstream.url)).toolCount);
    }
    assertEquals(counts, [14, 9, 6]);

    const use = async (client: McpClient, person: string) => {
      assertEquals((await client.listTools()).tools.length, 14 + 9 + 6);
      const read = await client.callTool("files-read-text-file", { path: `${folder}/greeting.txt` });
      assertEquals(read.content[0].text, "hello from a file");
      const entity = { name: person, entityType: "person", observations: ["wrote a test"] };
      await client.callTool("memory-create-entities", { entities: [entity] });
      const graph = await client.callTool("memory-read-graph");
      assert(graph.content[0].text.includes(person), graph.content[0].text);
      const leap = await client.callTool("time-days-in-month", { date: "2028-02-01" });
      assert(leap.content[0].text.includes("29"), leap.content[0].text);
      const refused = await client.callTool("files-read-text-file", { path: "/etc/hostname" });
      assertEquals(refused.isError, true);
    };
    for (const [name, connect] of [["v1", connectV1], ["v2", connectV2]] as const) {
      await t.step(`SDK ${name} client`, async () => {
        await using client = await connect(url, { token });
        await use(client, `Ada ${name}`);
      });
    }

    for (const era of ["legacy", "auto", "modern"]) {
      await t.step(`Inspector CLI, era ${era}`, async () => {
        const args = ["--protocol-era", era, "--method", "tools/call", "--tool-name", "time-days-in-month"];
        const called = await inspect(url, [...args, "--tool-arg", "date=2027-02-01"], { token }) as {
          content: { text: string }[];
        };
        assert(called.content[0]!.text.includes("28"), called.content[0]!.text);
      });
    }

    await t.step("mcp-remote as a desktop client's stdio server", async () => {
      const client = new Client({ name: "sluice-tests", version: "1.0.0" });
      await client.connect(
        new StdioClientTransport({
          ...npmProgram(
            "mcp-remote",
            ...[url, "--allow-http", "--transport", "http-only"],
            ...["--header", `Authorization:Bearer ${token}`],
          ),
          // It keeps what it is authorized for in its home.
          env: { ...Deno.env.toObject(), HOME: folder },
          stderr: "ignore",
        }),
      );
      try {
        assertEquals((await client.listTools()).tools.length, 14 + 9 + 6);
        const called = await client.callTool({
          name: "files-read-text-file",
          arguments: { path: `${folder}/greeting.txt` },
        });
        assertEquals(called.content, [{ type: "text", text: "hello from a file" }]);
      } finally {
        await client.close();
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
