import { assertEquals } from "@std/assert";
import { readServerList } from "../../client_config/server_entries.ts";
import { valuesOf } from "./config_file.ts";

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
