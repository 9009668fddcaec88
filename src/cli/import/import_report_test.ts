import { assertEquals } from "@std/assert";
import type { ImportResult } from "../../admin/imports/server_import.ts";
import { importReport, isWhole } from "./import_report.ts";
import { Progress } from "./progress.ts";

const RESULT: ImportResult = {
  ...{ name: "files", outcome: "taken", gatewayId: "1", isDisabled: false, toolCount: 1, reason: null },
  ...{ missing: [], unread: [], warnings: [] },
};
const OPTIONS = {
  ...{ file: "my file.json", gatewayFlags: [] as string[], isDryRun: false, program: "sluice" },
  hasColour: false,
};

Deno.test("importReport() has a line for each server, the reasons, and the next steps", () => {
  const results: ImportResult[] = [
    { ...RESULT, unread: ["timeout", "autoApprove"] },
    { ...RESULT, name: "old", isDisabled: true, toolCount: null, unread: ["timeout"] },
    {
      ...RESULT,
      name: "key",
      outcome: "left_out",
      toolCount: null,
      reason: "the variable k has no value",
      missing: ["k"],
    },
    {
      ...RESULT,
      name: "down",
      outcome: "failed",
      toolCount: null,
      reason: `Cannot connect to ${"x".repeat(60)}: no`,
    },
    {
      ...RESULT,
      name: "fetch",
      outcome: "failed",
      toolCount: null,
      reason: 'no executable program "uvx" was found',
    },
  ];
  assertEquals(importReport(results, OPTIONS).split("\n"), [
    "5 servers: 2 registered, 1 left out, 2 failed.",
    "",
    "  registered  files  1 tool",
    "  registered  old    switched off, as in the file",
    "  left out    key",
    "              the variable k has no value",
    "  failed      down",
    "              Cannot connect to",
    `              ${"x".repeat(60)}: no`,
    "  failed      fetch",
    '              no executable program "uvx" was found',
    "              Install uv for the gateway's user, or give the whole path.",
    "",
    "Fields without effect in a gateway: autoApprove, timeout.",
    "",
    "Give the missing values:",
    "  sluice import 'my file.json' --input k=VALUE",
    "Mend the cause of what failed, then import the file again.",
  ]);
  assertEquals(results.map(isWhole), [true, true, false, false, false]);
});

Deno.test("importReport() is short where all is well, and says what a dry run would do", () => {
  assertEquals(importReport([], OPTIONS), "my file.json names no servers.");
  assertEquals(importReport([RESULT], { ...OPTIONS, hasColour: true }).split("\n"), [
    "1 server: 1 registered.",
    "",
    "  \x1b[32mregistered\x1b[0m  files  1 tool",
    "",
    "Connect a client: sluice connect",
  ]);
  assertEquals(importReport([{ ...RESULT, toolCount: null }], { ...OPTIONS, isDryRun: true }).split("\n"), [
    "Dry run, nothing was changed. 1 server: 1 to register.",
    "",
    "  to register  files",
    "",
    "Register them:",
    "  sluice import 'my file.json'",
  ]);
  const gatewayFlags = ["--url", "http://gw:4444", "--token-file", "my token"];
  const lastOf = (isDryRun: boolean) =>
    importReport([RESULT], { ...OPTIONS, isDryRun, gatewayFlags }).split("\n").at(-1);
  assertEquals([lastOf(true), lastOf(false)], [
    "  sluice import 'my file.json' --url http://gw:4444 --token-file 'my token'",
    "Connect a client: sluice connect --url http://gw:4444 --token-file 'my token'",
  ]);
});

Deno.test("Progress redraws its lines in a terminal, and takes them away at the end", () => {
  let shown = "";
  const write = (text: string) => void (shown += text);
  const terminal = new Progress(["a", "bb"], { write, columns: 20, isDryRun: false });
  terminal.show("a", "installing");
  terminal.show("a", "taken");
  terminal.show("unknown", "taken");
  terminal.end();
  assertEquals(shown.split("\n"), [
    "\r\x1b[K  a   starting (it ",
    "\r\x1b[K  bb  waiting",
    "\x1b[2A\r\x1b[K  a   registered",
    "\r\x1b[K  bb  waiting",
    "\x1b[2A\x1b[J",
  ]);
  shown = "";
  new Progress(["a"], { write, columns: null, isDryRun: true }).show("a", "taken");
  assertEquals(shown, "  a  to register\n");
});
