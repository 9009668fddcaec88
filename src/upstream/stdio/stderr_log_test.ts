import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import type { LogFields } from "../../telemetry/log.ts";
import { StderrLog } from "./stderr_log.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("StderrLog writes line by line, bounded in length and in number, and says what it left out", async () => {
  const clock = new FakeClock();
  const lines: unknown[] = [];
  const lost: unknown[] = [];
  const log = new StderrLog({
    info: (_event: string, fields?: LogFields) => lines.push(fields!.line),
    warning: (_event: string, fields?: LogFields) => lost.push(fields!.lines),
  }, clock);
  log.push(bytes("first\nsec"));
  log.push(bytes(`ond\n${"x".repeat(10_000)}\n`));
  assertEquals(lines, ["first", "second", "(a line of more than 4096 bytes)"]);
  log.push(bytes("more\n".repeat(200)));
  assertEquals([lines.length, lost], [100, []]);
  await clock.tick(10_000);
  log.push(bytes("later\nlast words"));
  log.end();
  assertEquals([lines.slice(100), lost], [["later", "last words"], [103]]);
});
