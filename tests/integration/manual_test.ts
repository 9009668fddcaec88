// Every command block of the README and of the manual runs, as its reader would run it.

import { assertEquals } from "@std/assert";
import { readTopic, TOPICS } from "../../src/help/topics.ts";
import { run } from "../support/command.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { commandBlocks } from "../support/manual_blocks.ts";
import { ManualShell } from "../support/manual_shell.ts";
import { canLeaveOut, findProgram } from "../support/programs.ts";
import { makeSelfSigned } from "../support/self_signed.ts";

const README = new URL("../../README.md", import.meta.url);

/** Pages whose blocks run at the same time. Most of a page's time is waiting. */
const PAGES_AT_ONCE = 3;

const SHOWN = "every command block of the README and of the manual runs, and shows what the page shows";
const isIncomplete = ["curl", "jq", "python3"].some(canLeaveOut);

Deno.test(SHOWN, { ignore: isIncomplete }, async () => {
  const topics = await Promise.all(
    TOPICS.map(async ({ name }) => [`src/help/${name}.md`, await readTopic(name)] as const),
  );
  const pages = [["README.md", await Deno.readTextFile(README)] as const, ...topics];
  const wanted = Deno.env.get("MANUAL_PAGE") ?? "";
  const waiting = pages.filter(([page]) => page.includes(wanted));
  await using upstream = CounterUpstream.start();
  const failures: string[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [page, markdown] = next;
      failures.push(...await runPage(page, markdown, upstream.url));
    }
  };
  await Promise.all(Array.from({ length: PAGES_AT_ONCE }, work));
  assertEquals(failures.join("\n\n"), "");
});

Deno.test("a block is refused if a command fails, an answer is an error, or the output is not as shown", async () => {
  const page = (code: string, below = "") => `# Page\n\n\`\`\`sh\n${code}\n\`\`\`\n${below}`;
  const shown = (lang: string, text: string) => `\n\`\`\`${lang}\n${text}\n\`\`\`\n`;
  const rows: ReadonlyArray<[markdown: string, fault: string | null]> = [
    [page("mkdir a && cd a\nB=c") + page('[ "$(basename $PWD) $B" = "a c" ]'), null],
    [page("false\ntrue"), "exit code 1"],
    [page("echo $UNSET_VARIABLE"), "exit code 1"],
    [page("false | true"), "exit code 1"],
    [page("curl -s http://127.0.0.1:4444/"), "exit code 7"],
    [page(`echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32601}}'`), "the answer is an error"],
    [page(`echo '{"id":"1","warnings":[{"loc":["body"]}]}'`), "the answer has a warning"],
    [page("true").replace("```sh", "<!-- run: stopped 4444 -->\n```sh"), null],
    [page("echo one", shown("text", "two")), 'the output lacks the line "two"'],
    [page("echo '{\"a\": 1}'", shown("json", '{"b": 1}')), "the output differs from the shown one at $.b"],
    [page("if true; then").replace("```sh", "<!-- run: not, needs more -->\n```sh"), "syntax error"],
    [page("true").replace("```sh", "<!-- run: fails -->\n```sh"), "exit code 0"],
    [page("echo no").replace("```sh", "<!-- run: server 4444 -->\n```sh"), "the server has ended"],
  ];
  for (const [markdown, expected] of rows) {
    const [fault = null] = await runPage("page", markdown, "http://127.0.0.1:1/mcp");
    const isExpected = expected === null ? fault === null : fault?.includes(expected) === true;
    assertEquals([markdown, isExpected || fault], [markdown, true]);
  }
});

Deno.test({
  name: "nginx takes the configurations of the manual",
  ignore: canLeaveOut("nginx"),
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "sluice_nginx_" });
    const { certFile, keyFile } = await makeSelfSigned(folder, "mcp");
    for (const { name } of TOPICS) {
      for (const [, block] of (await readTopic(name)).matchAll(/```nginx\n(.*?)```/gs)) {
        const http = /^server /m.test(block!) ? block! : `server { listen 80; ${block} }`;
        const own = http.replaceAll("/etc/ssl/mcp.pem", certFile).replaceAll("/etc/ssl/mcp.key", keyFile);
        const main = `pid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${own}\n}\n`;
        await Deno.writeTextFile(`${folder}/nginx.conf`, main);
        const { code, text } = await run(findProgram("nginx")!, [
          "-t",
          "-p",
          folder,
          "-c",
          `${folder}/nginx.conf`,
        ]);
        assertEquals([name, code], [name, 0], text);
      }
    }
    await Deno.remove(folder, { recursive: true });
  },
});

/** Stops at the first failure of the page: the blocks build on each other. */
async function runPage(page: string, markdown: string, upstream: string): Promise<string[]> {
  const blocks = commandBlocks(markdown);
  if (blocks.length === 0) return [];
  await using shell = await ManualShell.open(blocks, upstream);
  for (const block of blocks) {
    const fault = await shell.run(block);
    if (fault !== null) return [`${page}:\n${block.code}\n=> ${fault}`];
  }
  return [];
}
