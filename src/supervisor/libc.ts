// The C library's socket calls: for what Deno's own sockets cannot do. Linux with glibc; elsewhere there is none.

const CALLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
} as const;

export type Libc = Deno.DynamicLibrary<typeof CALLS>["symbols"];

/** The byte order of the machines that Deno runs on. */
export const LITTLE_ENDIAN = true;

const [AF_INET, AF_INET6] = [2, 10];

/** Descriptors are given out lowest first, so behind such a gap there is none that we have not seen before. */
const GAP = 1024;

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

  isOurs(fd: number): boolean {
    return this.portOf("getsockname", fd) === this.#port;
  }

  /** The port of one end; null: no TCP socket, or none at that end. */
  portOf(end: "getsockname" | "getpeername", fd: number): number | null {
    this.#length[0] = this.#address.byteLength;
    if (this.#libc[end](fd, this.#address.buffer, this.#length) !== 0) return null;
    const family = this.#address.getUint16(0, LITTLE_ENDIAN);
    // In network order.
    return family === AF_INET || family === AF_INET6 ? this.#address.getUint16(2) : null;
  }
}
