import { assertEquals } from "@std/assert";
import { parse } from "@std/dotenv";
import { loadConfig } from "../../src/config/load.ts";
import { envExample, settingsPart } from "./settings.ts";
import { SETTINGS } from "../../src/config/schema.ts";

Deno.test("envExample() with every line switched on is the default configuration", () => {
  const dotEnv = envExample().replaceAll(/^# ([A-Z0-9_]+=)/gm, "$1");
  const names = SETTINGS.filter(({ state }) => state !== "inert").map(({ name }) => name);
  assertEquals(Object.keys(parse(dotEnv)).sort(), names.sort());
  const input = { environment: {}, dev: false, overrides: {}, cores: 2 };
  assertEquals(loadConfig({ ...input, dotEnv }).config, loadConfig({ ...input, dotEnv: null }).config);
});

Deno.test("envExample() as it stands sets nothing", () => {
  assertEquals(parse(envExample()), {});
});

Deno.test("settingsPart() names every setting and alias, each in a row of three cells", () => {
  const table = settingsPart();
  for (const { name, aliases = [] } of SETTINGS) {
    for (const word of [name, ...aliases]) assertEquals([word, table.includes(`\`${word}\``)], [word, true]);
  }
  const rows = table.split("\n").filter((line) => line.startsWith("|"));
  assertEquals(rows.filter((row) => row.split(/(?<!\\)\|/).length !== 5), []);
});
