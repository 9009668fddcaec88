import { assertEquals } from "@std/assert";
import { readServerList } from "../../client_config/server_entries.ts";
import { isFaulty } from "../../client_config/server_entries.ts";
import { readConfigFile, valuesOf } from "./config_file.ts";

const { entries } = readServerList({
  servers: {
    a: { command: "${BIN}", args: ["${workspaceFolder}", "${env:BIN}"], env: { KEY: "${input:key}" } },
  },
});
const environment = (name: string) => ({ BIN: "/bin/it", key: "from-the-environment" })[name];

Deno.test("valuesOf() takes variables of the environment, and asks the environment for an input only if told to", () => {
  const path = "/projects/app/.vscode/mcp.json";
  assertEquals(valuesOf({ entries, path }, [], environment), {
    values: { BIN: "/bin/it", workspaceFolder: "/projects/app" },
    mistakes: [],
  });
  assertEquals(valuesOf({ entries, path }, ["key"], environment).values.key, "from-the-environment");
  const { values } = valuesOf(
    { entries, path: "/x.json" },
    ["key=a=b", "workspaceFolder=/w", "BIN="],
    environment,
  );
  assertEquals(values, { BIN: "", key: "a=b", workspaceFolder: "/w" });
});

Deno.test("valuesOf() knows the folder of a project, and none for a file of the user", () => {
  const folder = (path: string) => valuesOf({ entries, path }, [], environment).values.workspaceFolder;
  assertEquals(folder("/projects/app/.mcp.json"), "/projects/app");
  assertEquals(folder("/projects/app/.cursor/mcp.json"), "/projects/app");
  assertEquals(folder("/etc/claude_desktop_config.json"), undefined);
  const home = Deno.env.get("HOME");
  if (home !== undefined) assertEquals(folder(`${home}/.cursor/mcp.json`), undefined);
});

Deno.test("valuesOf() names an input that the file or the environment does not have", () => {
  assertEquals(valuesOf({ entries, path: "/x.json" }, ["kye=1", "key"], () => undefined).mistakes, [
    "--input kye: the file has no variable of this name; it has BIN, workspaceFolder, key",
    "--input key: there is no environment variable of this name; write --input key=VALUE",
  ]);
});

Deno.test("readConfigFile() takes the variables of an envFile that it can read, and leaves the field of another", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/.vscode`);
  await Deno.writeTextFile(`${folder}/.env`, "KEY=from-the-file\nOTHER='two words'\n");
  const servers = {
    both: { command: "a", envFile: "${workspaceFolder}/.env", env: { KEY: "own" } },
    relative: { command: "a", envFile: "../.env" },
    missing: { command: "a", envFile: "${workspaceFolder}/none.env" },
    unknown: { command: "a", envFile: "${env:NO_SUCH_FOLDER_HERE}/.env" },
  };
  for (const document of [{ servers }, { mcpServers: servers }, { mcp: { servers } }]) {
    await Deno.writeTextFile(`${folder}/.vscode/mcp.json`, JSON.stringify(document));
    const { entries, document: sent } = readConfigFile(`${folder}/.vscode/mcp.json`);
    assertEquals(entries.map((entry) => isFaulty(entry) ? entry : [entry.env, entry.unread]), [
      [{ KEY: "own", OTHER: "two words" }, []],
      [{ KEY: "from-the-file", OTHER: "two words" }, []],
      [{}, ["envFile"]],
      [{}, ["envFile"]],
    ]);
    // The gateway is sent what was read.
    assertEquals(JSON.stringify(sent).includes("two words"), true);
  }
  await Deno.remove(folder, { recursive: true });
});
