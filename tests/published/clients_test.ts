// Clients that others have published keep their state at upstreams with sessions, over HTTP and stdio, and are asked what the upstreams
// ask outside of a call, whichever revision a client prefers and the endpoint offers.
import { assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import {
  hasBuilder,
  nodeScript,
  type PublishedCommand,
  publishedGo,
  publishedJava,
  publishedRust,
  pythonScript,
} from "../support/published_programs.ts";
import { Sluice } from "../support/sluice.ts";

/** What the scripts of tests/programs/published answer, by the tool of an upstream that asks. */
const ANSWERS = { elicit: "Ada", sample: "hello", roots: "file:///home" };

type Question = keyof typeof ANSWERS;
type Script = (...args: readonly string[]) => PublishedCommand;

interface Client {
  readonly name: string;
  readonly script: Script;
  /** The questions that it can be asked. */
  readonly answers: readonly Question[];
}

const EVERYTHING = Object.keys(ANSWERS) as Question[];
const python1: Script = (...args) => pythonScript(1, "call.py", ...args);
const python2: Script = (...args) => pythonScript(2, "call.py", ...args);
const node: Script = (...args) => nodeScript("call.mjs", ...args);
const go: Script = (...args) => publishedGo("call", ...args);

const CLIENTS: readonly Client[] = [
  { name: "python-sdk-1", script: python1, answers: EVERYTHING },
  { name: "python-sdk-1-sse", script: python1, answers: EVERYTHING },
  { name: "langchain", script: python1, answers: ["elicit"] },
  { name: "mcp-use", script: python1, answers: EVERYTHING },
  { name: "google-adk", script: python1, answers: ["elicit", "sample"] },
  { name: "strands", script: python1, answers: ["elicit"] },
  { name: "smolagents", script: python1, answers: [] },
  { name: "autogen", script: python1, answers: [] },
  { name: "python-sdk-2", script: python2, answers: EVERYTHING },
  { name: "python-sdk-2-sessions", script: python2, answers: EVERYTHING },
  { name: "fastmcp", script: python2, answers: EVERYTHING },
  { name: "pydantic-ai", script: python2, answers: EVERYTHING },
  { name: "openai-agents", script: python2, answers: [] },
  { name: "agno", script: python2, answers: [] },
  { name: "typescript-sdk-1", script: node, answers: EVERYTHING },
  { name: "typescript-sdk-1-sse", script: node, answers: EVERYTHING },
  { name: "typescript-sdk-2", script: node, answers: EVERYTHING },
  { name: "typescript-sdk-2-auto", script: node, answers: EVERYTHING },
  { name: "ai-sdk", script: node, answers: ["elicit"] },
  { name: "mastra", script: node, answers: ["elicit"] },
  { name: "openai-agents-js", script: node, answers: [] },
  { name: "langchain-js", script: node, answers: [] },
  { name: "mcporter", script: node, answers: [] },
  ...(hasBuilder("go")
    ? [
      { name: "go-sdk", script: go, answers: EVERYTHING },
      { name: "go-sdk-sse", script: go, answers: EVERYTHING },
      { name: "mcp-go", script: go, answers: EVERYTHING },
      // Over SSE it takes no requests.
      { name: "mcp-go-sse", script: go, answers: [] },
    ]
    : []),
  ...(hasBuilder("cargo")
    ? [
      { name: "rmcp", script: publishedRust, answers: EVERYTHING },
      { name: "rmcp-auto", script: publishedRust, answers: EVERYTHING },
    ]
    : []),
  ...(hasBuilder("mvn")
    ? [
      { name: "java-sdk", script: publishedJava, answers: EVERYTHING },
      { name: "java-sdk-sse", script: publishedJava, answers: EVERYTHING },
      { name: "langchain4j", script: publishedJava, answers: ["roots" as const] },
    ]
    : []),
];

const ASKING_PROCESS = {
  command: Deno.execPath(),
  args: ["run", "-A", "--quiet", new URL("../support/asking_tools.ts", import.meta.url).pathname],
};

for (const revisions of ["auto", "all"]) {
  Deno.test(`Every published client counts to three and is asked, with MCP_REVISIONS=${revisions}`, async (t) => {
    await using counter = CounterUpstream.start({ asks: true });
    const env = { STDIO_ENABLED: "true", MCP_REVISIONS: revisions };
    await using sluice = await Sluice.start({ env });
    await sluice.registerUpstream("counter", counter.url);
    const launch = { name: "process", transport: "STDIO", ...ASKING_PROCESS };
    assertEquals((await sluice.api("POST", "/gateways", launch)).status, 200);
    for (const { name, script, answers } of CLIENTS) {
      await t.step(name, async () => {
        const tools = ["increment", "increment", "increment", ...answers];
        const texts = ["1", "2", "3", ...answers.map((question) => ANSWERS[question])];
        const called = ["counter", "process"].flatMap((upstream) =>
          tools.map((tool) => `${upstream}-${tool}`)
        );
        const { command, args, env } = script(name, `${sluice.url}/mcp`, ...called);
        const { stdout, stderr } = await new Deno.Command(command, {
          args: [...args],
          // A caller of its own: without a session, the upstream's state is the caller's.
          env: { ...env, TOKEN: await sluice.token({ username: `${name}@example.com` }) },
          stdin: "null",
        }).output();
        const [said, failure] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
        const last = said!.trim().split("\n").at(-1)!;
        assertEquals(
          last.startsWith("[") ? JSON.parse(last) : last,
          [...texts, ...texts],
          failure!.slice(-2_000),
        );
      });
    }
  });
}
