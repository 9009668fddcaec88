// Which connections have a request under way, until the last byte of its answer: those that may be silent without being idle.

/** What Deno.serve tells a handler beside the request. */
type ServeInfo = Pick<Deno.ServeHandlerInfo<Deno.NetAddr>, "remoteAddr" | "completed">;

export class RequestsUnderWay {
  // The address is asked for only when somebody wants to know: for nearly all requests nobody ever does.
  readonly #infos = new Set<ServeInfo>();

  add(info: ServeInfo): void {
    this.#infos.add(info);
    const remove = () => this.#infos.delete(info);
    info.completed.then(remove, remove);
  }

  /** The remote ports of their connections. */
  peerPorts(): number[] {
    const ports = new Set<number>();
    for (const info of this.#infos) {
      const port = portOf(info);
      if (port !== null) ports.add(port);
    }
    return [...ports];
  }
}

/** null: its connection is gone, or became a WebSocket. */
function portOf(info: ServeInfo): number | null {
  try {
    return info.remoteAddr.port;
  } catch {
    return null;
  }
}
