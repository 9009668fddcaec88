// The listening sockets of this process, and how to end one without losing the connections that are arriving at it.
import { type Libc, LITTLE_ENDIAN, openLibc, SocketScan } from "./libc.ts";

export interface ListeningSocket {
  readonly fd: number;
  /** The kernel's cookie of this socket, which is never reused. */
  readonly cookie: bigint;
}

export interface ListeningSockets {
  list(): ListeningSocket[];
  /**
   * From now on these sockets accept no new connections, and lose none: the first packet of each is dropped. The client repeats it
   * after a second, and another listener of the port accepts it if these are closed by then. Connections that are being opened arrive.
   */
  ignoreNewConnections(sockets: readonly ListeningSocket[]): void;
  /** Ends the sockets of a worker that is blocked: connections in their queues are reset, new ones go to the port's other listeners. */
  close(sockets: readonly ListeningSocket[]): void;
}

const SHUT_RDWR = 2;

const [SOL_SOCKET, SO_ATTACH_FILTER, SO_ACCEPTCONN, SO_COOKIE] = [1, 26, 30, 57];

/** A classic BPF program over a TCP header, as [code, jump if true, jump if false, operand]: drop SYN without ACK, pass the rest. */
const DROP_SYN: ReadonlyArray<readonly [number, number, number, number]> = [
  [0x30, 0, 0, 13], // load the byte of the flags
  [0x54, 0, 0, 0x12], // and SYN | ACK
  [0x15, 0, 1, 0x02], // equal to SYN alone?
  [0x06, 0, 0, 0], // drop
  [0x06, 0, 0, 0xffffffff], // pass
];

/** @returns null without Linux, glibc, or the permission for it */
export function openListeningSockets(port: number): ListeningSockets | null {
  const libc = openLibc();
  return libc === null ? null : new LinuxListeners(port, libc);
}

class LinuxListeners implements ListeningSockets {
  readonly #libc: Libc;
  readonly #scan: SocketScan;
  readonly #value = new DataView(new ArrayBuffer(8));
  readonly #length = new Uint32Array(1);
  readonly #filter = new DataView(new ArrayBuffer(DROP_SYN.length * 8));
  /** A `struct sock_fprog` that points to the filter. Made at once: pointers need a permission that the process gives up. */
  readonly #program = new DataView(new ArrayBuffer(16));

  constructor(port: number, libc: Libc) {
    this.#libc = libc;
    this.#scan = new SocketScan(port, libc);
    DROP_SYN.forEach(([code, ifTrue, ifFalse, operand], index) => {
      const at = index * 8;
      this.#filter.setUint16(at, code, LITTLE_ENDIAN);
      this.#filter.setUint8(at + 2, ifTrue);
      this.#filter.setUint8(at + 3, ifFalse);
      this.#filter.setUint32(at + 4, operand, LITTLE_ENDIAN);
    });
    this.#program.setUint16(0, DROP_SYN.length, LITTLE_ENDIAN);
    const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#filter));
    this.#program.setBigUint64(8, BigInt(address), LITTLE_ENDIAN);
  }

  list(): ListeningSocket[] {
    return this.#scan.descriptors().flatMap((fd) => {
      const cookie = this.#option(fd, SO_COOKIE, 8);
      return this.#option(fd, SO_ACCEPTCONN, 4) === 1n && cookie !== null ? [{ fd, cookie }] : [];
    });
  }

  ignoreNewConnections(sockets: readonly ListeningSocket[]): void {
    for (const { fd, cookie } of sockets) {
      // The descriptor may belong to another socket by now.
      if (this.#option(fd, SO_COOKIE, 8) !== cookie) continue;
      const { buffer, byteLength } = this.#program;
      this.#libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, buffer, byteLength);
    }
  }

  close(sockets: readonly ListeningSocket[]): void {
    for (const { fd, cookie } of sockets) {
      if (this.#option(fd, SO_COOKIE, 8) === cookie) this.#libc.shutdown(fd, SHUT_RDWR);
    }
  }

  #option(fd: number, name: number, bytes: 4 | 8): bigint | null {
    this.#length[0] = bytes;
    if (this.#libc.getsockopt(fd, SOL_SOCKET, name, this.#value.buffer, this.#length) !== 0) return null;
    return bytes === 8
      ? this.#value.getBigUint64(0, LITTLE_ENDIAN)
      : BigInt(this.#value.getUint32(0, LITTLE_ENDIAN));
  }
}
