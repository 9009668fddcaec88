import { assertEquals, assertThrows } from "@std/assert";
import { commandBlocks } from "./manual_blocks.ts";

Deno.test("commandBlocks() reads blocks, the comments above them and the output below", () => {
  const page = `# Page

<!-- run: server 4444 -->
\`\`\`sh
sluice serve
\`\`\`

1. In a list:

   \`\`\`sh
   sluice token
   \`\`\`

   \`\`\`text
   eyJ…
   \`\`\`

<!-- run: not, needs Docker -->
\`\`\`sh
docker compose up
\`\`\`

Between.

\`\`\`json
{}
\`\`\`

<!-- run: fails -->

\`\`\`sh
false
\`\`\`

\`\`\`ts
console.log(1);
\`\`\`
`;
  assertEquals(commandBlocks(page), [
    { lang: "sh", code: "sluice serve", mode: { kind: "server", port: 4444 }, shown: null },
    { lang: "sh", code: "sluice token", mode: { kind: "runs" }, shown: { lang: "text", text: "eyJ…" } },
    { lang: "sh", code: "docker compose up", mode: { kind: "not", reason: "needs Docker" }, shown: null },
    { lang: "sh", code: "false", mode: { kind: "fails" }, shown: null },
    { lang: "ts", code: "console.log(1);", mode: { kind: "runs" }, shown: null },
  ]);
});

Deno.test("commandBlocks() refuses comments that it does not know, have no reason or no block", () => {
  for (const comment of ["run: not", "run: server", "run: later", "run: fails"]) {
    assertThrows(() => commandBlocks(`<!-- ${comment} -->\n\nText.\n`), Error, "run: ");
  }
});
