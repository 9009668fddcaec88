import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { CLIENTS } from "../../client_config/clients.ts";
import { writeEntry } from "./write_entry.ts";

const CONNECTION = {
  ...{ name: "sluice", url: "http://h/mcp", gatewayUrl: "http://h", server: null },
  ...{ token: "T", program: ["/bin/sluice"] },
};
const NOW = new Date("2026-01-02T03:04:05.678Z");

async function inFolder(run: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    run(Deno.realPathSync(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("writeEntry() makes a file that only its owner reads, with its folder", () =>
  inFolder((folder) => {
    const file = `${folder}/new/mcp.json`;
    assertEquals(writeEntry(file, CLIENTS.cursor, CONNECTION, NOW), { file, backup: null });
    assertEquals(JSON.parse(Deno.readTextFileSync(file)).mcpServers.sluice.url, "http://h/mcp");
    assertEquals(Deno.statSync(file).mode! & 0o777, 0o600);
    assertEquals([...Deno.readDirSync(`${folder}/new`)].length, 1);
  }));

Deno.test("writeEntry() keeps the rest of a file, its mode, a link to it, and a copy of it", () =>
  inFolder((folder) => {
    const text = '{\n  // mine\n  "mcpServers": { "files": { "command": "npx" } },\n}\n';
    Deno.writeTextFileSync(`${folder}/real.json`, text, { mode: 0o640 });
    Deno.symlinkSync("real.json", `${folder}/link.json`);
    const { file, backup } = writeEntry(`${folder}/link.json`, CLIENTS.cursor, CONNECTION, NOW);
    assertEquals([file, backup], [`${folder}/real.json`, `${folder}/real.json.before-sluice-20260102030405`]);
    assertEquals(Deno.readTextFileSync(backup!), text);
    const after = Deno.readTextFileSync(`${folder}/link.json`);
    assertEquals([after.includes("// mine"), after.includes('"files"'), after.includes("Bearer T")], [
      true,
      true,
      true,
    ]);
    assertEquals([Deno.lstatSync(`${folder}/link.json`).isSymlink, Deno.statSync(file).mode! & 0o777], [
      true,
      0o640,
    ]);

    Deno.writeTextFileSync(`${folder}/config.toml`, 'model = "x" # mine\n');
    writeEntry(`${folder}/config.toml`, CLIENTS.codex, CONNECTION, NOW);
    assertEquals(Deno.readTextFileSync(`${folder}/config.toml`).split("\n").slice(0, 3), [
      ...['model = "x" # mine', "", "[mcp_servers.sluice]"],
    ]);
  }));

Deno.test("writeEntry() changes nothing in a file that it does not understand", () =>
  inFolder((folder) => {
    const file = `${folder}/mcp.json`;
    for (
      const [bytes, words] of [
        [
          new TextEncoder().encode('{\n  "a" 1\n}'),
          /line 2, column 7: a ":" is missing\. The file is unchanged$/,
        ],
        [new TextEncoder().encode("[]"), /it is not an object\. The file is unchanged$/],
        [new Uint8Array([0x7b, 0xff, 0x7d]), /it is no text in UTF-8$/],
      ] as const
    ) {
      Deno.writeFileSync(file, bytes);
      const error = assertThrows(() => writeEntry(file, CLIENTS.cursor, CONNECTION, NOW), SluiceError);
      assertEquals([error.code, words.test(error.message)], ["CONFIG_FILE_UNUSABLE", true], error.message);
      assertEquals(Deno.readFileSync(file), bytes);
    }
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  }));
