// Who meets whose state: upstreams that keep something for their client, and clients that must not find what is another's.
import { assertEquals } from "@std/assert";
import { connectStateless, connectV1 } from "../support/mcp_clients.ts";
import { Sluice } from "../support/sluice.ts";
import { conformanceLaunch } from "../support/stdio_upstream.ts";

Deno.test("A 2026-07-28 process is never shared by two callers or two sessions, in either kind of revisions", async () => {
  await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true" } });
  const { status } = await sluice.api("POST", "/gateways", {
    name: "one",
    transport: "STDIO",
    ...conformanceLaunch(`mark-${crypto.randomUUID()}`),
  });
  assertEquals(status, 200);
  const processesOf = async (username: string, connect: typeof connectV1) => {
    const token = await sluice.token({ username, admin: false });
    await using client = await connect(`${sluice.url}/mcp`, { token });
    const found = new Set<string>();
    for (let i = 0; i < 4; i++) found.add((await client.callTool("one-process")).content[0].text);
    return [...found];
  };
  const all: string[][] = [];
  for (const username of ["ann@example.com", "bob@example.com"]) {
    all.push(await processesOf(username, connectStateless));
    for (let i = 0; i < 2; i++) all.push(await processesOf(username, connectV1));
  }
  assertEquals(new Set(all.flat()).size, all.flat().length);
});
