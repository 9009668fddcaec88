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
  log.push(bytes("later\n\u001b[31mlast\twords\u001b[0m"));
  log.end();
  const tail = Array(10).fill("more");
  assertEquals([lines.slice(100), lost], [[...tail, "later", "\u001b[31mlast\twords\u001b[0m"], [93]]);
  assertEquals(log.lastWords, [...tail.slice(2), "later", "last words"].join(" | "));
});

Deno.test("StderrLog logs the cause that a program names last, after more lines than the limit", () => {
  const lines: unknown[] = [];
  const log = new StderrLog({
    info: (_event: string, fields?: LogFields) => lines.push(fields!.line),
    warning: () => {},
  }, new FakeClock());
  log.push(bytes(`${'  File "x.py"\n'.repeat(143)}DockerException: no daemon\n`));
  assertEquals(lines.length, 100);
  log.end();
  assertEquals([lines.length, lines.at(-1)], [110, "DockerException: no daemon"]);
  log.push(bytes(`${"y".repeat(3_000)}\n`));
  assertEquals([log.lastWords.length, log.lastWords.slice(0, 2)], [2_001, "…y"]);
});
