import { assertEquals } from "@std/assert";
import { commandHelp, textColumns } from "./help_text.ts";

Deno.test("textColumns() is the width of the terminal, between 40 and 80, and 80 without a terminal", () => {
  const columns = (isTerminal: boolean, width: number) =>
    textColumns({ isTerminal: () => isTerminal }, () => width);
  assertEquals([20, 60, 200, 0].map((width) => columns(true, width)), [40, 60, 80, 80]);
  assertEquals(columns(false, 60), 80);
});

Deno.test("commandHelp() marks words that may be several, and those that may be left out", () => {
  const usageOf = (command: Parameters<typeof commandHelp>[0]) => commandHelp(command).split("\n")[0];
  assertEquals(usageOf("bench compare"), "Usage: sluice bench compare FILE... [FLAGS]");
  assertEquals(usageOf("tools approve"), "Usage: sluice tools approve HASH... [FLAGS]");
  assertEquals(usageOf("connect"), "Usage: sluice connect [CLIENT] [FLAGS]");
});
