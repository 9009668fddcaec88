// Which connections have a request under way, until the last byte of its answer: those that may be silent without being idle.

/** What Deno.serve tells a handler beside the request. */
type ServeInfo = Pick<Deno.ServeHandlerInfo<Deno.NetAddr>, "remoteAddr" | "completed">;

export class RequestsUnderWay {
  // The address is asked for only when somebody wants to know: for nearly all requests nobody ever does.
  readonly #requests = new Map<ServeInfo, Request>();

  add(request: Request, info: ServeInfo): void {
    this.#requests.set(info, request);
    const remove = () => this.#requests.delete(info);
    info.completed.then(remove, remove);
  }

  /** The remote ports of their connections. */
  peerPorts(): number[] {
    const ports = new Set<number>();
    for (const info of this.#requests.keys()) {
      const address = addressOf(info);
      if (address !== null) ports.add(address.port);
    }
    return [...ports];
  }

  /** Those that came over the connections of these clients. @param peers as peerName() names them */
  requestsOf(peers: readonly string[]): Request[] {
    const wanted = new Set(peers);
    const found: Request[] = [];
    for (const [info, request] of this.#requests) {
      const address = addressOf(info);
      if (address !== null && wanted.has(peerName(address))) found.push(request);
    }
    return found;
  }
}

/** A client's end of its connection, alike however an IPv6 address is written. */
export function peerName({ hostname, port }: { readonly hostname: string; readonly port: number }): string {
  const host = hostname.includes(":") ? new URL(`http://[${hostname}]`).hostname : hostname;
  return `${host} ${port}`;
}

/** null: its connection is gone, or became a WebSocket. */
function addressOf(info: ServeInfo): Deno.NetAddr | null {
  try {
    return info.remoteAddr;
  } catch {
    return null;
  }
}
