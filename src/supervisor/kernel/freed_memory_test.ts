import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { openLibc, readSystemFile } from "./libc.ts";
import { programMappings, releaseFreedMemory, releaseStartMemory } from "./freed_memory.ts";

function mapping(range: string, access: string, file: string, anonymous: number): string {
  return `${range} ${access} 00000000 fe:00 762701                     ${file}\nSize:  8 kB\nRss:  8 kB\n` +
    `Anonymous:  ${anonymous} kB\nVmFlags: rd mr mw me \n`;
}

Deno.test("programMappings() has what the program's file alone holds: nothing written, no other file", () => {
  const smaps = [
    mapping("1000-3000", "r--p", "/opt/a program", 0),
    mapping("3000-8000", "r-xp", "/opt/a program", 0),
    // Relocated when it was loaded, and read-only since.
    mapping("8000-9000", "r--p", "/opt/a program", 4),
    mapping("9000-a000", "rw-p", "/opt/a program", 0),
    mapping("a000-b000", "rw-p", "[heap]", 0),
    mapping("b000-c000", "r-xp", "/lib/libc.so.6", 0),
    mapping("7f4517dc0000-7f4517fe6000", "r-xp", "/opt/a program", 0),
  ].join("");
  assertEquals(programMappings(smaps), [
    { start: 0x1000n, bytes: 0x2000n },
    { start: 0x3000n, bytes: 0x5000n },
    { start: 0x7f4517dc0000n, bytes: 0x226000n },
  ]);
  assertEquals(programMappings(""), []);
});

Deno.test("releaseStartMemory() takes the program's pages from the resident set, and the program goes on", {
  ignore: Deno.build.os !== "linux",
}, () => {
  const resident = () => {
    const smaps = readSystemFile("/proc/self/smaps")!;
    const { start } = programMappings(smaps).sort((a, b) => Number(b.bytes - a.bytes))[0]!;
    return Number(new RegExp(`^${start.toString(16)}-.*?^Rss: +(\\d+) kB`, "ms").exec(smaps)![1]);
  };
  const before = resident();
  releaseStartMemory(openLibc());
  const after = resident();
  assert(after < before / 2, `${before} kB before, ${after} kB after`);
  releaseStartMemory(null);
});

Deno.test("releaseFreedMemory() releases after half a second of CPU time, never at rest, and ends", async () => {
  const clock = new FakeClock();
  let [micros, trims] = [7_000_000, 0];
  const end = releaseFreedMemory({
    clock,
    cpuMicros: () => micros,
    libc: { malloc_trim: () => ++trims },
  });
  await clock.tick(60_000);
  assertEquals(trims, 0);
  micros += 499_999;
  await clock.tick(2_000);
  assertEquals(trims, 0);
  micros += 1;
  await clock.tick(2_000);
  assertEquals(trims, 1);
  await clock.tick(60_000);
  assertEquals(trims, 1);
  end();
  micros += 1_000_000;
  await clock.tick(60_000);
  assertEquals(trims, 1);
});
