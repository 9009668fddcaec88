// The C library: for what Deno's own sockets and threads cannot do. Linux with glibc; elsewhere there is none.

const CALLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
} as const;

export type Libc = Deno.DynamicLibrary<typeof CALLS>["symbols"];

/** The byte order of the machines that Deno runs on. */
export const LITTLE_ENDIAN = true;

const [AF_INET, AF_INET6] = [2, 10];

/** Descriptors are given out lowest first, so behind such a gap there is none that we have not seen before. */
const GAP = 1024;

/** In a `struct pollfd`, after the descriptor: what is asked for, and what is the case. */
const POLL = { size: 8, events: 4, revents: 6 };

/** The other end sends no more, or is gone altogether; there is no such descriptor. */
const [POLLRDHUP, POLLHUP, POLLERR, POLLNVAL] = [0x2000, 0x10, 0x8, 0x20];

export interface SocketAddress {
  /** As the kernel has it: IPv4 in dots, IPv6 in eight groups. */
  readonly hostname: string;
  readonly port: number;
}

/** @returns null where this cannot be had: not Linux, no glibc, no permission for it */
export function openLibc(): Libc | null {
  if (Deno.build.os !== "linux") return null;
  try {
    return Deno.dlopen("libc.so.6", CALLS).symbols;
  } catch {
    return null;
  }
}

/** Finds this process's TCP sockets whose own port is `port`: listeners, and the connections that they accepted. */
export class SocketScan {
  readonly #port: number;
  readonly #libc: Libc;
  readonly #address = new DataView(new ArrayBuffer(128));
  readonly #length = new Uint32Array(1);
  /** One poll's worth: the kernel takes no more at once than this process may have open. */
  readonly #polled = new DataView(new ArrayBuffer(GAP * POLL.size));
  #highestFd = 0;

  constructor(port: number, libc: Libc) {
    this.#port = port;
    this.#libc = libc;
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

  /** Connections whose other end has closed them, or its half of them, while ours is open. One system call for each 1,024. */
  hungUp(): number[] {
    const found: number[] = [];
    for (let first = 0; first <= this.#highestFd + GAP; first += GAP) {
      if (!this.#poll(first)) break;
      for (let i = 0; i < GAP; i++) {
        const state = this.#polled.getUint16(i * POLL.size + POLL.revents, LITTLE_ENDIAN);
        if (state & POLLNVAL) continue;
        this.#highestFd = Math.max(this.#highestFd, first + i);
        if (state & (POLLRDHUP | POLLHUP | POLLERR) && this.isOurs(first + i)) found.push(first + i);
      }
    }
    return found;
  }

  isOurs(fd: number): boolean {
    return this.portOf("getsockname", fd) === this.#port;
  }

  /** The port of one end; null: no TCP socket, or none at that end. */
  portOf(end: "getsockname" | "getpeername", fd: number): number | null {
    // In network order.
    return this.#readAddress(end, fd) === null ? null : this.#address.getUint16(2);
  }

  /** The other end; null: no connection. */
  peerOf(fd: number): SocketAddress | null {
    const family = this.#readAddress("getpeername", fd);
    if (family === null) return null;
    const address = this.#address;
    const hostname = family === AF_INET
      ? [4, 5, 6, 7].map((at) => address.getUint8(at)).join(".")
      : [8, 10, 12, 14, 16, 18, 20, 22].map((at) => address.getUint16(at).toString(16)).join(":");
    return { hostname, port: address.getUint16(2) };
  }

  /** The family of what is in `#address` then. */
  #readAddress(end: "getsockname" | "getpeername", fd: number): number | null {
    this.#length[0] = this.#address.byteLength;
    if (this.#libc[end](fd, this.#address.buffer, this.#length) !== 0) return null;
    const family = this.#address.getUint16(0, LITTLE_ENDIAN);
    return family === AF_INET || family === AF_INET6 ? family : null;
  }

  /** @returns false where the kernel takes no such question: fewer files than that may be open */
  #poll(first: number): boolean {
    for (let i = 0; i < GAP; i++) {
      this.#polled.setInt32(i * POLL.size, first + i, LITTLE_ENDIAN);
      this.#polled.setUint32(i * POLL.size + POLL.events, POLLRDHUP, LITTLE_ENDIAN);
    }
    return this.#libc.poll(this.#polled.buffer, BigInt(GAP), 0) >= 0;
  }
}
