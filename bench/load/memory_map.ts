// What the resident memory of a Deno process consists of, by its mappings (proc_pid_smaps(5)).

/** The parts, from those of the program's file to those of its data. */
export const PARTS = [
  "the program's file: code and constants",
  "libraries, and other files",
  "the program's own variables",
  "memory of malloc",
  "stacks of threads",
  "V8: code compiled while it runs",
  "V8: heaps",
  "other: large blocks of malloc, buffers",
] as const;

export type Part = typeof PARTS[number];

/** Resident bytes by part. Their sum is the resident set size. */
export type MemoryMap = Readonly<Record<Part, number>>;

interface Mapping {
  readonly start: number;
  readonly bytes: number;
  readonly access: string;
  readonly file: string;
  residentBytes: number;
  anonymousBytes: number;
}

const HEAD = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/;

const [KIB, MIB, TIB] = [2 ** 10, 2 ** 20, 2 ** 40];

/** V8 takes the pages of its heaps from random addresses below the program, and the kernel maps files and blocks above it. */
const END_OF_V8 = 64 * TIB;

/** glibc keeps such areas for threads, each at an address that is a multiple of the size (malloc/arena.c). */
const ARENA_BYTES = 64 * MIB;

/** The stacks of Rust's threads, and those that the system gives by default. */
const STACK_BYTES: ReadonlySet<number> = new Set([2 * MIB, 8 * MIB]);

export function memoryMapOf(pid: number): MemoryMap {
  return memoryMap(Deno.readTextFileSync(`/proc/${pid}/smaps`));
}

/** @param smaps of a process on Linux with glibc */
export function memoryMap(smaps: string): MemoryMap {
  const mappings: Mapping[] = [];
  for (const line of smaps.split("\n")) {
    const head = HEAD.exec(line);
    const [, name, kilobytes] = /^(Rss|Anonymous): +(\d+) kB$/.exec(line) ?? [];
    if (head !== null) {
      const [start, end] = [parseInt(head[1]!, 16), parseInt(head[2]!, 16)];
      const [access, file] = [head[3]!, head[4]!];
      mappings.push({ start, bytes: end - start, access, file, residentBytes: 0, anonymousBytes: 0 });
    } else if (name === "Rss") mappings.at(-1)!.residentBytes = Number(kilobytes) * KIB;
    else if (name === "Anonymous") mappings.at(-1)!.anonymousBytes = Number(kilobytes) * KIB;
  }
  const program = mappings.find(({ file }) => /\/(deno|sluice)[^/]*$/.test(file))?.file;
  const sums = Object.fromEntries(PARTS.map((part) => [part, 0])) as Record<Part, number>;
  for (const mapping of mappings) {
    sums[partOf(mapping, program)] += mapping.residentBytes;
  }
  return sums;
}

function partOf(
  { start, bytes, access, file, anonymousBytes }: Mapping,
  program: string | undefined,
): Part {
  if (file === program && program !== undefined) {
    return anonymousBytes > 0 ? "the program's own variables" : "the program's file: code and constants";
  }
  if (file.startsWith("/")) return "libraries, and other files";
  if (file === "[heap]") return "memory of malloc";
  if (file === "[stack]") return "stacks of threads";
  if (access.startsWith("rwx")) return "V8: code compiled while it runs";
  if (start < END_OF_V8) return "V8: heaps";
  if (start % ARENA_BYTES === 0 && bytes < ARENA_BYTES) return "memory of malloc";
  return STACK_BYTES.has(bytes) ? "stacks of threads" : "other: large blocks of malloc, buffers";
}
