// The TCP connections on the port of this process, as the Linux kernel sees them. Limits that Deno's HTTP server lacks need them.
import { type Libc, LITTLE_ENDIAN, openLibc, SocketScan } from "./libc.ts";

/** The TCP_INFO of one accepted connection. */
export interface PeerSocket {
  readonly fd: number;
  readonly peerHost: string;
  readonly peerPort: number;
  /** Data received from the client since it connected, bytes. */
  readonly received: number;
  /** Data that the client has acknowledged, bytes. */
  readonly acknowledged: number;
  /** The latest data came from the client. */
  readonly awaitsAnswer: boolean;
  /** There is data that the client has not acknowledged. */
  readonly hasUnsent: boolean;
}

export interface PeerSockets {
  list(): PeerSocket[];
  /** Closes both directions, unless the descriptor belongs to another connection by now. The connection's owner then reads its end. */
  cut(socket: PeerSocket, options: { unlessMoreCame: boolean }): void;
}

const [SHUT_RDWR, IPPROTO_TCP, TCP_INFO] = [2, 6, 11];

/** TCP_CLOSE: the connection is gone, but its owner has not closed the descriptor. */
const CLOSED = 7;

/** Offsets of the fields in the kernel's `struct tcp_info`, which only grows at its end (Linux 4.6 has them all). */
const AT = {
  state: 0,
  unacked: 24,
  sinceSent: 44,
  sinceReceived: 52,
  bytesAcked: 120,
  bytesReceived: 128,
  notSent: 144,
  end: 148,
};

/** @returns null without Linux, glibc, or the permission for it */
export function openPeerSockets(port: number): PeerSockets | null {
  const libc = openLibc();
  return libc === null ? null : new LinuxSockets(port, libc);
}

class LinuxSockets implements PeerSockets {
  readonly #libc: Libc;
  readonly #scan: SocketScan;
  readonly #info = new DataView(new ArrayBuffer(256));
  readonly #length = new Uint32Array(1);

  constructor(port: number, libc: Libc) {
    this.#libc = libc;
    this.#scan = new SocketScan(port, libc);
  }

  list(): PeerSocket[] {
    return this.#scan.descriptors().map((fd) => this.#read(fd)).filter((socket) => socket !== null);
  }

  cut(
    { fd, peerPort, received, acknowledged }: PeerSocket,
    { unlessMoreCame }: { unlessMoreCame: boolean },
  ): void {
    if (!this.#scan.isOurs(fd)) return;
    const now = this.#read(fd);
    const isSame = now !== null && now.peerPort === peerPort && now.acknowledged === acknowledged &&
      (unlessMoreCame ? now.received === received : now.received >= received);
    if (isSame) this.#libc.shutdown(fd, SHUT_RDWR);
  }

  /** @returns null for a listener or a closed connection */
  #read(fd: number): PeerSocket | null {
    const peer = this.#scan.peerOf(fd);
    if (peer === null) return null;
    const info = this.#info;
    this.#length[0] = info.byteLength;
    if (this.#libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info.buffer, this.#length) !== 0) return null;
    if (this.#length[0] < AT.end || info.getUint8(AT.state) === CLOSED) return null;
    return {
      fd,
      peerHost: peer.hostname,
      peerPort: peer.port,
      received: Number(info.getBigUint64(AT.bytesReceived, LITTLE_ENDIAN)),
      acknowledged: Number(info.getBigUint64(AT.bytesAcked, LITTLE_ENDIAN)),
      awaitsAnswer:
        info.getUint32(AT.sinceReceived, LITTLE_ENDIAN) < info.getUint32(AT.sinceSent, LITTLE_ENDIAN),
      hasUnsent: info.getUint32(AT.unacked, LITTLE_ENDIAN) + info.getUint32(AT.notSent, LITTLE_ENDIAN) > 0,
    };
  }
}
