// A TCP connection in front of any socket, over the loopback interface. Deno's TLS works on TCP connections alone.
import { closeSocket, copy, type Socket } from "./socket.ts";

/** @returns the near end. Either end closes the socket, and the socket closes both */
export async function asTcp(socket: Socket): Promise<Deno.TcpConn> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    near.setNoDelay(true);
    for (;;) {
      const far = await listener.accept();
      if (far.remoteAddr.port === near.localAddr.port) {
        far.setNoDelay(true);
        void join(far, socket);
        return near;
      }
      // Another program of the machine has come first.
      far.close();
    }
  } finally {
    listener.close();
  }
}

async function join(far: Socket, socket: Socket): Promise<void> {
  await Promise.race([copy(far, socket), copy(socket, far)]);
  closeSocket(far);
  closeSocket(socket);
}
