// The requests under way, each until the last byte of its response. Their connections may be silent and are not idle.

/** The second argument of a handler of Deno.serve. */
type ServeInfo = Pick<Deno.ServeHandlerInfo<Deno.NetAddr>, "remoteAddr" | "completed">;

export class RequestsUnderWay {
  // Addresses are read only on demand: nearly all requests end before anybody asks for them.
  readonly #requests = new Map<ServeInfo, Request>();
  #onNone = () => {};

  add(request: Request, info: ServeInfo): void {
    this.#requests.set(info, request);
    const remove = () => {
      this.#requests.delete(info);
      if (this.#requests.size === 0) this.#onNone();
    };
    info.completed.then(remove, remove);
  }

  /** Resolves once no request is under way. */
  async whenNone(): Promise<void> {
    if (this.#requests.size > 0) await new Promise<void>((resolve) => this.#onNone = resolve);
  }

  /** The remote ports of the requests' connections. */
  peerPorts(): number[] {
    const ports = new Set<number>();
    for (const info of this.#requests.keys()) {
      const address = addressOf(info);
      if (address !== null) ports.add(address.port);
    }
    return [...ports];
  }

  /** The requests that came over the connections of these clients. @param peers as peerName() writes them */
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

/** The address and port of a client, the same for every spelling of an IPv6 address. */
export function peerName({ hostname, port }: { readonly hostname: string; readonly port: number }): string {
  const host = hostname.includes(":") ? new URL(`http://[${hostname}]`).hostname : hostname;
  return `${host} ${port}`;
}

/** null if the connection is closed or has become a WebSocket. */
function addressOf(info: ServeInfo): Deno.NetAddr | null {
  try {
    return info.remoteAddr;
  } catch {
    return null;
  }
}
