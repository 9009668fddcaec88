// The requests under way, each until the last byte of its response. Their connections may be silent and are not idle.

import { type Linked, LinkedList } from "../../base/linked_list.ts";

/** The second argument of a handler of Deno.serve. */
type ServeInfo = Pick<Deno.ServeHandlerInfo<Deno.NetAddr>, "remoteAddr" | "completed">;

class RequestUnderWay implements Linked<RequestUnderWay> {
  readonly request: Request;
  readonly info: ServeInfo;
  previous: RequestUnderWay | undefined = undefined;
  next: RequestUnderWay | undefined = undefined;

  constructor(request: Request, info: ServeInfo) {
    this.request = request;
    this.info = info;
  }
}

export class RequestsUnderWay {
  // Addresses are read only on demand: nearly all requests end before anybody asks for them.
  readonly #requests = new LinkedList<RequestUnderWay>();
  #onNone = () => {};

  add(request: Request, info: ServeInfo): void {
    const underWay = new RequestUnderWay(request, info);
    this.#requests.push(underWay);
    const remove = () => {
      this.#requests.remove(underWay);
      if (this.#requests.length === 0) this.#onNone();
    };
    info.completed.then(remove, remove);
  }

  /** Resolves once no request is under way. */
  async whenNone(): Promise<void> {
    if (this.#requests.length > 0) await new Promise<void>((resolve) => this.#onNone = resolve);
  }

  /** The remote ports of the requests' connections. */
  peerPorts(): number[] {
    const ports = new Set<number>();
    for (const { info } of this.#requests) {
      const address = addressOf(info);
      if (address !== null) ports.add(address.port);
    }
    return [...ports];
  }

  /** The requests that came over the connections of these clients. @param peers as peerName() writes them */
  requestsOf(peers: readonly string[]): Request[] {
    const wanted = new Set(peers);
    const found: Request[] = [];
    for (const { info, request } of this.#requests) {
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
