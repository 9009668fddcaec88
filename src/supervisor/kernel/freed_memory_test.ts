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

/** A process whose CPU time the test decides, and what is released of it. */
class Scene {
  readonly clock = new FakeClock();
  micros = 7_000_000;
  trims = 0;
  releases = 0;
  readonly end = releaseFreedMemory({
    clock: this.clock,
    cpuMicros: () => this.micros,
    smaps: () => mapping("1000-3000", "r-xp", "/opt/program", 0),
    libc: { malloc_trim: () => ++this.trims, madvise: () => ++this.releases },
  });

  /** @param used the CPU time until the next look, µs */
  async look(used: number): Promise<void> {
    this.micros += used;
    await this.clock.tick(2_000);
  }
}

Deno.test("releaseFreedMemory() trims after half a second of CPU time, never at rest, and ends", async () => {
  const scene = new Scene();
  await scene.clock.tick(60_000);
  assertEquals(scene.trims, 0);
  await scene.look(250_000);
  await scene.look(249_999);
  assertEquals(scene.trims, 0);
  for (let look = 1; look <= 3; look++) {
    await scene.look(500_000);
    assertEquals(scene.trims, look);
  }
  assertEquals(scene.releases, 0);
  scene.end();
  await scene.look(1_000_000);
  assertEquals(scene.trims, 3);
});

Deno.test("releaseFreedMemory() releases the program's pages once, at the first rest after some work", async () => {
  const scene = new Scene();
  for (let look = 0; look < 9; look++) await scene.look(10_000);
  assertEquals(scene.releases, 0);
  await scene.look(50_000);
  assertEquals(scene.releases, 0);
  await scene.look(49_999);
  assertEquals([scene.trims, scene.releases], [1, 1]);
  for (let look = 0; look < 9; look++) await scene.look(10_000);
  assertEquals([scene.trims, scene.releases], [1, 1]);
  scene.end();
});
