// The TCP connections of this process on its own port, as the Linux kernel sees them: for limits that Deno's HTTP server lacks.

/** What TCP_INFO says of one accepted connection. */
export interface PeerSocket {
  readonly fd: number;
  readonly peerPort: number;
  /** Data from the client since it connected, bytes. */
  readonly received: number;
  /** Of our data, what the client has acknowledged, bytes. */
  readonly acknowledged: number;
  /** We have data that the client has not taken. */
  readonly hasUnsent: boolean;
}

export interface PeerSockets {
  list(): PeerSocket[];
  /** Closes both directions, unless the descriptor means another connection by now; its owner then reads the end. */
  cut(socket: PeerSocket, options: { unlessMoreCame: boolean }): void;
}

const [AF_INET, AF_INET6, SHUT_RDWR, IPPROTO_TCP, TCP_INFO] = [2, 10, 2, 6, 11];

/** TCP_CLOSE: already gone, its owner has not closed it yet. */
const CLOSED = 7;

/** Where the fields are in the kernel's `struct tcp_info`, which only ever grows at its end (Linux 4.6 has them all). */
const AT = { state: 0, unacked: 24, bytesAcked: 120, bytesReceived: 128, notSent: 144, end: 148 };

/** Descriptors are given out lowest first, so behind such a gap there is none that we have not seen before. */
const GAP = 1024;

const LIBC = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
} as const;

/** @returns null where this cannot be had: not Linux, no glibc, no permission for it */
export function openPeerSockets(port: number): PeerSockets | null {
  if (Deno.build.os !== "linux") return null;
  try {
    return new LinuxSockets(port, Deno.dlopen("libc.so.6", LIBC).symbols);
  } catch {
    return null;
  }
}

class LinuxSockets implements PeerSockets {
  readonly #port: number;
  readonly #libc: Deno.DynamicLibrary<typeof LIBC>["symbols"];
  readonly #address = new DataView(new ArrayBuffer(128));
  readonly #info = new DataView(new ArrayBuffer(256));
  readonly #length = new Uint32Array(1);
  #highestFd = 0;

  constructor(port: number, libc: Deno.DynamicLibrary<typeof LIBC>["symbols"]) {
    this.#port = port;
    this.#libc = libc;
  }

  list(): PeerSocket[] {
    const sockets: PeerSocket[] = [];
    for (let fd = 0; fd <= this.#highestFd + GAP; fd++) {
      if (this.#portOf("getsockname", fd) !== this.#port) continue;
      this.#highestFd = Math.max(this.#highestFd, fd);
      const socket = this.#read(fd);
      if (socket !== null) sockets.push(socket);
    }
    return sockets;
  }

  cut(
    { fd, peerPort, received, acknowledged }: PeerSocket,
    { unlessMoreCame }: { unlessMoreCame: boolean },
  ): void {
    if (this.#portOf("getsockname", fd) !== this.#port) return;
    const now = this.#read(fd);
    const isSame = now !== null && now.peerPort === peerPort && now.acknowledged === acknowledged &&
      (unlessMoreCame ? now.received === received : now.received >= received);
    if (isSame) this.#libc.shutdown(fd, SHUT_RDWR);
  }

  /** null: a listener, or closed. */
  #read(fd: number): PeerSocket | null {
    const peerPort = this.#portOf("getpeername", fd);
    if (peerPort === null) return null;
    const info = this.#info;
    this.#length[0] = info.byteLength;
    if (this.#libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info.buffer, this.#length) !== 0) return null;
    if (this.#length[0] < AT.end || info.getUint8(AT.state) === CLOSED) return null;
    return {
      fd,
      peerPort,
      received: Number(info.getBigUint64(AT.bytesReceived, LITTLE_ENDIAN)),
      acknowledged: Number(info.getBigUint64(AT.bytesAcked, LITTLE_ENDIAN)),
      hasUnsent: info.getUint32(AT.unacked, LITTLE_ENDIAN) + info.getUint32(AT.notSent, LITTLE_ENDIAN) > 0,
    };
  }

  /** The port of one end; null: no TCP socket, or none at that end. */
  #portOf(end: "getsockname" | "getpeername", fd: number): number | null {
    this.#length[0] = this.#address.byteLength;
    if (this.#libc[end](fd, this.#address.buffer, this.#length) !== 0) return null;
    const family = this.#address.getUint16(0, LITTLE_ENDIAN);
    return family === AF_INET || family === AF_INET6 ? this.#address.getUint16(2) : null;
  }
}

/** The byte order of the machines that Deno runs on; ports are in network order. */
const LITTLE_ENDIAN = true;
