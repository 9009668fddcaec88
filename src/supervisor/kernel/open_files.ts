// How many files this process has open. On Linux with glibc only.
import { type Libc, openFilesLimit, openLibc, readSystemFile } from "./libc.ts";

/** poll(2) answers this for a number that is no open descriptor. */
const POLLNVAL = 0x20;

/** Asks for nothing but the errors. @returns null where the system does not tell */
export function countOpenFiles(libc: Libc | null = openLibc()): number | null {
  if (libc === null) return null;
  // The kernel's table of descriptors has so many places; none is open behind it.
  const places = Number(/^FDSize:\s*(\d+)/m.exec(readSystemFile("/proc/self/status") ?? "")?.[1] ?? NaN);
  if (!(places > 0)) return null;
  const count = Math.min(places, Number(openFilesLimit(libc)?.soft ?? places));
  const polled = new Int32Array(2 * count);
  for (let fd = 0; fd < count; fd++) polled[2 * fd] = fd;
  if (libc.poll(polled, BigInt(count), 0) < 0) return null;
  let open = 0;
  for (let fd = 0; fd < count; fd++) if (!((polled[2 * fd + 1]! >> 16) & POLLNVAL)) open++;
  return open;
}
