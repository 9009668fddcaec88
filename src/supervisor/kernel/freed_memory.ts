// Memory that this process has freed, given back to the system. On Linux with glibc only.
import process from "node:process";
import type { Clock } from "../../base/clock.ts";
import { type Libc, openLibc, readSystemFile } from "./libc.ts";

/** The pages leave this process. At the next use the kernel maps them again, from its cache of the file. */
const MADV_DONTNEED = 4;

/** Part of the address space. */
export interface Mapping {
  readonly start: bigint;
  readonly bytes: bigint;
}

const HEAD = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/;

/**
 * The parts of the program's file that are mapped, cannot be written, and have no page of this process' own: nothing is lost with them.
 * @param smaps as in /proc/PID/smaps (proc_pid_smaps(5)), where the first file is the program's
 */
export function programMappings(smaps: string): Mapping[] {
  const found: Mapping[] = [];
  let program: string | undefined;
  let mapping: Mapping | null = null;
  for (const line of smaps.split("\n")) {
    const head = HEAD.exec(line);
    if (head !== null) {
      const [start, end] = [BigInt(`0x${head[1]}`), BigInt(`0x${head[2]}`)];
      const [access, file] = [head[3]!, head[4]!];
      if (file.startsWith("/")) program ??= file;
      mapping = file !== "" && file === program && access[1] === "-" ? { start, bytes: end - start } : null;
    } else if (mapping !== null && /^Anonymous: +0 kB$/.test(line)) found.push(mapping);
  }
  return found;
}

type Releasing = Pick<Libc, "malloc_trim" | "madvise">;

/**
 * Gives back what the start has allocated and freed, and the pages of the program that are mapped: most of them hold code that compiles,
 * links and reads sources. A page that is still needed costs about a microsecond at its next use.
 */
export function releaseStartMemory(libc: Releasing | null = openLibc(), smaps = ownMappings()): void {
  if (libc === null) return;
  libc.malloc_trim(0n);
  releaseProgram(libc, smaps);
}

function releaseProgram(libc: Releasing, smaps: string): void {
  for (const { start, bytes } of programMappings(smaps)) libc.madvise(start, bytes, MADV_DONTNEED);
}

function ownMappings(): string {
  return readSystemFile("/proc/self/smaps") ?? "";
}

const LOOK_EVERY_MS = 2_000;

/** So much CPU time of the process, µs, may have freed megabytes. */
const WORK_MICROS = 500_000;

export interface FreedMemoryOptions {
  readonly clock: Clock;
  /** null: nothing is released. */
  readonly libc?: Releasing | null;
  /** The CPU time of the process so far, µs. */
  readonly cpuMicros?: () => number;
  /** As in /proc/PID/smaps. */
  readonly smaps?: () => string;
}

/** So little CPU time between two looks, µs, is rest. */
const REST_MICROS = 50_000;

/** So much CPU time of the process, µs, has mapped megabytes of the program. */
const FEW_REQUESTS_MICROS = 100_000;

/**
 * Gives back what was freed, after every half second of work. V8 compiles and collects in threads that allocate megabytes for a moment,
 * and glibc gives nothing back of a thread's memory below a block that is still in use. It takes 1 to 2 ms. When the process
 * rests after some requests, the pages of the program leave it again: 11 MB after an upstream was registered.
 * @returns ends it
 */
export function releaseFreedMemory(
  { clock, libc = openLibc(), cpuMicros = usedMicros, smaps = ownMappings }: FreedMemoryOptions,
): () => void {
  if (libc === null) return () => {};
  let before = cpuMicros();
  let latest = before;
  let rested = before;
  let timer: number;
  const look = () => {
    const now = cpuMicros();
    if (now - before >= WORK_MICROS) {
      libc.malloc_trim(0n);
      before = now;
    }
    if (now - latest < REST_MICROS && now - rested >= FEW_REQUESTS_MICROS) {
      libc.malloc_trim(0n);
      releaseProgram(libc, smaps());
      rested = cpuMicros();
    }
    latest = cpuMicros();
    timer = clock.setTimeout(look, LOOK_EVERY_MS);
  };
  timer = clock.setTimeout(look, LOOK_EVERY_MS);
  return () => clock.clearTimeout(timer);
}

function usedMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
