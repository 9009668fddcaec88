// A TCP relay that a test can stall: connections stay open and nothing comes through, as when a network is cut.

/** Relays a port of 127.0.0.1 to `targetPort`. */
export class StallingRelay implements AsyncDisposable {
  readonly port: number;
  readonly #targetPort: number;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #ended: Promise<void>;
  /** Connections with a lower number than this pass nothing on. */
  #stalledBelow = 0;
  #accepted = 0;
  /** Bytes that have come from clients, whether or not they were passed on. */
  received = 0;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#ended = this.#accept();
  }

  /** From now on the connections that are open pass nothing on; later ones do, unless `later` is false. */
  stall({ later = true } = {}): void {
    this.#stalledBelow = later ? this.#accepted : Infinity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#ended;
  }

  async #accept(): Promise<void> {
    const relays: Promise<void>[] = [];
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#targetPort });
      const number = this.#accepted++;
      relays.push(this.#relay(client, server, number, true), this.#relay(server, client, number));
    }
    await Promise.all(relays);
  }

  async #relay(from: Deno.TcpConn, to: Deno.TcpConn, number: number, isClient = false): Promise<void> {
    this.#open.add(from);
    const buffer = new Uint8Array(65_536);
    try {
      for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
        if (isClient) this.received += read;
        if (number >= this.#stalledBelow) await to.write(buffer.slice(0, read));
      }
    } catch {
      // Closed on either side.
    }
    for (const connection of [from, to]) {
      if (!this.#open.delete(connection)) continue;
      try {
        connection.close();
      } catch {
        // It was closed already.
      }
    }
  }
}
