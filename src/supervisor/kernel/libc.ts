// Calls of the C library, for what Deno's own sockets cannot do. Only on Linux with glibc.

const CALLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  statfs: { parameters: ["buffer", "buffer"], result: "i32" },
  malloc_trim: { parameters: ["usize"], result: "i32" },
  madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
} as const;

export type Libc = Deno.DynamicLibrary<typeof CALLS>["symbols"];

/** The byte order of all machines that Deno runs on. */
export const LITTLE_ENDIAN = true;

const [AF_INET, AF_INET6] = [2, 10];

/** The kernel gives out the lowest free descriptor, so behind such a gap there are only descriptors that we have seen before. */
const GAP = 1024;

/** A `struct pollfd` is two numbers: the descriptor; the requested events, and in its upper half the returned events. */
const REVENTS_SHIFT = 16;

/** The other end sends no more (POLLRDHUP) or is gone (POLLHUP, POLLERR); POLLNVAL: there is no such descriptor. */
const [POLLRDHUP, POLLHUP, POLLERR, POLLNVAL] = [0x2000, 0x10, 0x8, 0x20];
const GONE = POLLRDHUP | POLLHUP | POLLERR;

export interface SocketAddress {
  /** As the kernel writes it: IPv4 in dots, IPv6 in eight groups. */
  readonly hostname: string;
  readonly port: number;
}

let opened: Libc | null | undefined;

/** Opens the library at the first call: its functions outlive the permission for it. @returns null without Linux, glibc, or the permission */
export function openLibc(): Libc | null {
  return opened === undefined ? opened = tryToOpen() : opened;
}

function tryToOpen(): Libc | null {
  if (Deno.build.os !== "linux") return null;
  try {
    return Deno.dlopen("libc.so.6", CALLS).symbols;
  } catch {
    return null;
  }
}

const [O_RDONLY, O_CLOEXEC] = [0, 0o2000000];
const PIECE_BYTES = 64 * 1024;

/**
 * The text of a file in /proc or /sys. Deno lets a program read these only with all permissions (`-A`).
 * @returns null without such a file, or where the library cannot be used
 */
export function readSystemFile(path: `/proc/${string}` | `/sys/${string}`): string | null {
  const libc = openLibc();
  const fd = libc?.open(new TextEncoder().encode(`${path}\0`), O_RDONLY | O_CLOEXEC) ?? -1;
  if (libc === null || fd < 0) return null;
  const decoder = new TextDecoder();
  const piece = new Uint8Array(PIECE_BYTES);
  let text = "";
  for (;;) {
    const read = Number(libc.read(fd, piece, BigInt(PIECE_BYTES)));
    if (read <= 0) break;
    text += decoder.decode(piece.subarray(0, read), { stream: true });
  }
  libc.close(fd);
  return text;
}

const RLIMIT_NOFILE = 7;
const RLIM_INFINITY = 2n ** 64n - 1n;

/** The soft limit of open files of this process; null: unlimited or unknown. */
export function ownOpenFilesLimit(libc: Pick<Libc, "getrlimit"> | null = openLibc()): number | null {
  const soft = libc === null ? null : openFilesLimit(libc)?.soft ?? null;
  return soft === null || soft === RLIM_INFINITY ? null : Number(soft);
}

/** The file system of a folder, as statfs(2) tells it on 64-bit Linux. */
export interface FileSystem {
  /** Its magic number. */
  readonly type: number;
  /** Free bytes for a user without privileges. */
  readonly freeBytes: number;
}

/** @returns null without such a folder, or where the library cannot be used */
export function fileSystemOf(folder: string): FileSystem | null {
  const libc = openLibc();
  // The type, the size of a block, and the blocks: all, free, free for users without privileges. The rest is not read.
  const answer = new BigUint64Array(32);
  if (libc === null || libc.statfs(new TextEncoder().encode(`${folder}\0`), answer) !== 0) return null;
  const [type, blockBytes, , , freeBlocks] = answer;
  return { type: Number(type & 0xffff_ffffn), freeBytes: Number(blockBytes * freeBlocks) };
}

/** How many files this process may have open now, and at most after setOpenFilesLimit(). */
export function openFilesLimit(libc: Pick<Libc, "getrlimit">): { soft: bigint; hard: bigint } | null {
  const limit = new BigUint64Array(2);
  if (libc.getrlimit(RLIMIT_NOFILE, limit) !== 0) return null;
  return { soft: limit[0]!, hard: limit[1]! };
}

export function setOpenFilesLimit(
  libc: Pick<Libc, "setrlimit">,
  { soft, hard }: { soft: bigint; hard: bigint },
): void {
  libc.setrlimit(RLIMIT_NOFILE, new BigUint64Array([soft, hard]));
}

const PR_SET_DUMPABLE = 4;

/**
 * Gives /proc/PID/environ and /proc/PID/mem of this process to root, so that other processes of the same user cannot read
 * secrets there. The process itself keeps its access to /proc/self/fd. Core dumps and debuggers of that user end with it.
 * Deleting a variable would not help: /proc/PID/environ shows the environment of the start.
 */
export function closeMemoryToOthers(libc: Pick<Libc, "prctl"> | null = openLibc()): void {
  libc?.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n);
}

/** Finds this process's TCP sockets whose own port is `port`: listeners, and the connections that they accepted. */
export class SocketScan {
  readonly #port: number;
  readonly #libc: Libc;
  readonly #address = new DataView(new ArrayBuffer(128));
  readonly #length = new Uint32Array(1);
  /** Every descriptor from 0 on, and some beyond the highest known one. */
  #polled = new Int32Array(0);
  #highestFd = 0;
  /** No descriptor is higher, and poll(2) takes no more. */
  readonly #limit: number;

  constructor(port: number, libc: Libc) {
    this.#port = port;
    this.#libc = libc;
    this.#limit = Number(openFilesLimit(libc)?.soft ?? Infinity);
  }

  descriptors(): number[] {
    const found: number[] = [];
    for (let fd = 0; fd <= this.#highestFd + GAP; fd++) {
      if (!this.isOurs(fd)) continue;
      this.#highestFd = Math.max(this.#highestFd, fd);
      found.push(fd);
    }
    return found;
  }

  /** Connections whose other end has closed or half-closed them while ours is open. Needs one system call. */
  hungUp(): number[] {
    const count = Math.min(this.#highestFd + GAP, this.#limit);
    if (this.#polled.length < 2 * count) this.#polled = allDescriptors(count + GAP);
    const polled = this.#polled;
    if (this.#libc.poll(polled, BigInt(count), 0) < 0) return [];
    const found: number[] = [];
    for (let fd = 0; fd < count; fd++) {
      const state = polled[2 * fd + 1]! >> REVENTS_SHIFT;
      if (state & POLLNVAL) continue;
      this.#highestFd = Math.max(this.#highestFd, fd);
      if (state & GONE && this.isOurs(fd)) found.push(fd);
    }
    return found;
  }

  isOurs(fd: number): boolean {
    return this.portOf("getsockname", fd) === this.#port;
  }

  /** The port of one end; null: no TCP socket, or no such end. */
  portOf(end: "getsockname" | "getpeername", fd: number): number | null {
    // In network byte order.
    return this.#readAddress(end, fd) === null ? null : this.#address.getUint16(2);
  }

  /** The address of the other end; null: no connection. */
  peerOf(fd: number): SocketAddress | null {
    const family = this.#readAddress("getpeername", fd);
    if (family === null) return null;
    const address = this.#address;
    const hostname = family === AF_INET
      ? [4, 5, 6, 7].map((at) => address.getUint8(at)).join(".")
      : [8, 10, 12, 14, 16, 18, 20, 22].map((at) => address.getUint16(at).toString(16)).join(":");
    return { hostname, port: address.getUint16(2) };
  }

  /** @returns the address family of what is in `#address` afterwards */
  #readAddress(end: "getsockname" | "getpeername", fd: number): number | null {
    this.#length[0] = this.#address.byteLength;
    if (this.#libc[end](fd, this.#address.buffer, this.#length) !== 0) return null;
    const family = this.#address.getUint16(0, LITTLE_ENDIAN);
    return family === AF_INET || family === AF_INET6 ? family : null;
  }
}

function allDescriptors(count: number): Int32Array<ArrayBuffer> {
  const polled = new Int32Array(2 * count);
  for (let fd = 0; fd < count; fd++) polled.set([fd, POLLRDHUP], 2 * fd);
  return polled;
}
