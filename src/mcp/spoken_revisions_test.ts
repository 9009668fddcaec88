import { assertEquals } from "@std/assert";
import { spokenRevisions } from "./spoken_revisions.ts";

const of = (protocols: string[], protocol = "auto", transport = "STREAMABLEHTTP", isolation = "session") => {
  const { sessions, stateless } = spokenRevisions({ protocol, protocols, transport, isolation });
  return [sessions, stateless];
};
const BOTH = ["2026-07-28", "2025-11-25"];

Deno.test("spokenRevisions() are what discovery found, or what the operator has decided", () => {
  assertEquals([of([]), of(["2025-03-26"]), of(["2026-07-28"]), of(BOTH)], [
    [true, false],
    [true, false],
    [false, true],
    [true, true],
  ]);
  assertEquals([of(BOTH, "2026-07-28"), of(BOTH, "2025-06-18"), of(["2025-06-18"], "2026-07-28")], [
    [false, true],
    [true, false],
    [false, true],
  ]);
});

Deno.test("spokenRevisions() are of one kind where several clients share a process", () => {
  for (const isolation of ["caller", "shared"]) {
    assertEquals(of(BOTH, "auto", "STDIO", isolation), [true, false]);
    assertEquals(of(["2026-07-28"], "auto", "STDIO", isolation), [false, true]);
    assertEquals(of(BOTH, "auto", "STREAMABLEHTTP", isolation), [true, true]);
  }
  assertEquals(of(BOTH, "auto", "STDIO", "session"), [true, true]);
});
