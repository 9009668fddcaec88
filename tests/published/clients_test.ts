// Clients that others have published keep their state at an upstream with sessions: a counter says 1, 2, 3 to each, whichever
// revision the client prefers.
import { assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import {
  hasGoPrograms,
  nodeScript,
  type PublishedCommand,
  publishedGo,
  pythonScript,
} from "../support/published_programs.ts";
import { Sluice } from "../support/sluice.ts";

const CLIENTS: Readonly<Record<string, (client: string) => PublishedCommand>> = {
  "python-sdk-1": (client) => pythonScript(1, "count.py", client),
  "langchain": (client) => pythonScript(1, "count.py", client),
  "python-sdk-2": (client) => pythonScript(2, "count.py", client),
  "python-sdk-2-sessions": (client) => pythonScript(2, "count.py", client),
  "fastmcp": (client) => pythonScript(2, "count.py", client),
  "pydantic-ai": (client) => pythonScript(2, "count.py", client),
  "openai-agents": (client) => pythonScript(2, "count.py", client),
  "openai-agents-js": (client) => nodeScript("count.mjs", client),
  "ai-sdk": (client) => nodeScript("count.mjs", client),
  "mastra": (client) => nodeScript("count.mjs", client),
  ...(hasGoPrograms()
    ? {
      "go-sdk": (client) => publishedGo("count", client),
      "mcp-go": (client) => publishedGo("count", client),
    }
    : {}),
};

Deno.test("A counter in a session counts for every published client", async (t) => {
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start();
  await sluice.registerUpstream("counter", counter.url);
  const token = await sluice.token();
  for (const [client, commandOf] of Object.entries(CLIENTS)) {
    await t.step(client, async () => {
      const { command, args, env } = commandOf(client);
      const { stdout, stderr } = await new Deno.Command(command, {
        args: [...args, `${sluice.url}/mcp`, "counter-increment"],
        env: { ...env, TOKEN: token },
        stdin: "null",
      }).output();
      const [said, failure] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      assertEquals(said!.trim().replaceAll(" ", ""), '["1","2","3"]', failure!.slice(-2_000));
    });
  }
});
