// A SOCKS5 server on loopback (RFC 1928, RFC 1929) for `fetch`, which resolves host names itself and takes no address. The relay
// resolves the name, checks each address, and connects to a checked one. TLS stays between `fetch` and the upstream.
import { timingSafeEqual } from "node:crypto";
import { BoundedMap } from "../../base/bounded_map.ts";
import { sleep, systemClock } from "../../base/clock.ts";
import { type SluiceError, toSluiceError } from "../../base/errors.ts";
import { dial, type DialOptions } from "./dial.ts";
import { closeSocket, copy, type Socket, writeAll } from "./socket.ts";
import type { Proxies } from "./proxies.ts";
import { targetOf } from "./target.ts";

export type SocksRelayOptions =
  & Pick<DialOptions, "connectTimeoutMs" | "checkAddress" | "resolve">
  & Partial<Pick<DialOptions, "clock">>
  & {
    /** The proxies of https addresses. Default: connections are direct. */
    readonly proxies?: Proxies;
  };

const VERSION = 5;
const METHOD_PASSWORD = 2;
const NO_METHOD = 0xff;
const COMMAND_CONNECT = 1;
const ADDRESS = { ipv4: 1, name: 3, ipv6: 4 } as const;
const REPLY = { succeeded: 0, failed: 1 } as const;
const PASSWORD_VERSION = 1;
const ACCEPTED = 0;
const REFUSED = 1;

const ACCEPT_PAUSE_MS = 100;

/** A failure is read at once by the request that caused it. */
const MAX_FAILURES = 100;

/** Does `fetch` use the relay for every host? It obeys NO_PROXY of the environment for every kind of proxy. */
export function isRelayInForce(variable: (name: string) => string | undefined): boolean {
  return (variable("NO_PROXY") ?? variable("no_proxy") ?? "") === "";
}

export class SocksRelay {
  readonly #options: SocksRelayOptions;
  readonly #listener: Deno.TcpListener;
  /** Keeps other programs of the machine from using the relay. */
  readonly #password = crypto.randomUUID();
  readonly #open = new Set<Socket>();
  readonly #failures = new BoundedMap<string, SluiceError>({ maxEntries: MAX_FAILURES });
  #isClosed = false;

  constructor(options: SocksRelayOptions) {
    this.#options = options;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void this.#accept();
  }

  /** The `proxy` option of `Deno.createHttpClient()`. */
  get proxy(): Deno.Proxy {
    const { port } = this.#listener.addr;
    const basicAuth = { username: "sluice", password: this.#password };
    return { transport: "socks5", url: `socks5://127.0.0.1:${port}`, basicAuth };
  }

  /** The reason why the last attempt to reach this host failed; undefined if none did. */
  failureOf(hostname: string, port: number): SluiceError | undefined {
    return this.#failures.get(`${hostname} ${port}`);
  }

  close(): void {
    this.#isClosed = true;
    this.#listener.close();
    for (const socket of this.#open) socket.close();
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        void this.#serve(await this.#listener.accept());
      } catch {
        // Descriptors are short, or the relay was closed.
        if (!this.#isClosed) await sleep(this.#options.clock ?? systemClock, ACCEPT_PAUSE_MS);
      }
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    const { clock = systemClock, connectTimeoutMs } = this.#options;
    this.#open.add(client);
    const timer = clock.setTimeout(() => closeSocket(client), connectTimeoutMs);
    let upstream: Socket | null = null;
    try {
      client.setNoDelay(true);
      const { hostname, port } = await readRequest(client, this.#password);
      upstream = await this.#connect(client, hostname, port);
      clock.clearTimeout(timer);
      this.#open.add(upstream);
      await Promise.race([copy(client, upstream), copy(upstream, client)]);
    } catch {
      // `fetch` fails when its connection ends.
    } finally {
      clock.clearTimeout(timer);
      for (const socket of [client, upstream]) {
        if (socket === null) continue;
        this.#open.delete(socket);
        closeSocket(socket);
      }
    }
  }

  async #connect(client: Deno.TcpConn, hostname: string, port: number): Promise<Socket> {
    const { clock = systemClock } = this.#options;
    const { proxies = null } = this.#options;
    const address = new URL(`https://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`);
    // TLS is between `fetch` and the upstream.
    const target = { ...targetOf(address, undefined, proxies), tls: false };
    try {
      const request = { upstream: hostname, alpnProtocols: [] };
      const { socket } = await dial(target, request, { ...this.#options, clock });
      await writeAll(client, reply(REPLY.succeeded));
      return socket;
    } catch (error) {
      this.#failures.set(`${target.hostname} ${port}`, toSluiceError(error));
      await writeAll(client, reply(REPLY.failed));
      throw error;
    }
  }
}

/** Reads greeting, password and request. @throws {Error} if the client is not the `fetch` of this process */
async function readRequest(client: Socket, password: string): Promise<{ hostname: string; port: number }> {
  const [version, count] = await readBytes(client, 2);
  const methods = await readBytes(client, count!);
  if (version !== VERSION || !methods.includes(METHOD_PASSWORD)) {
    await writeAll(client, Uint8Array.of(VERSION, NO_METHOD));
    throw new Error("the client offers no password");
  }
  await writeAll(client, Uint8Array.of(VERSION, METHOD_PASSWORD));
  const [, userLength] = await readBytes(client, 2);
  await readBytes(client, userLength!);
  const given = await readBytes(client, (await readBytes(client, 1))[0]!);
  const expected = new TextEncoder().encode(password);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    await writeAll(client, Uint8Array.of(PASSWORD_VERSION, REFUSED));
    throw new Error("the password is wrong");
  }
  await writeAll(client, Uint8Array.of(PASSWORD_VERSION, ACCEPTED));
  const [, command, , kind] = await readBytes(client, 4);
  if (command !== COMMAND_CONNECT) throw new Error("the command is not CONNECT");
  const hostname = await readHost(client, kind!);
  const [high, low] = await readBytes(client, 2);
  return { hostname, port: high! * 256 + low! };
}

async function readHost(client: Socket, kind: number): Promise<string> {
  switch (kind) {
    case ADDRESS.ipv4:
      return (await readBytes(client, 4)).join(".");
    case ADDRESS.ipv6: {
      const { buffer } = await readBytes(client, 16);
      const view = new DataView(buffer);
      return Array.from({ length: 8 }, (_, at) => view.getUint16(2 * at).toString(16)).join(":");
    }
    case ADDRESS.name:
      return new TextDecoder().decode(await readBytes(client, (await readBytes(client, 1))[0]!));
    default:
      throw new Error("the kind of address is unknown");
  }
}

/** A reply with the address 0.0.0.0:0, which clients of CONNECT do not read. */
function reply(code: number): Uint8Array {
  return Uint8Array.of(VERSION, code, 0, ADDRESS.ipv4, 0, 0, 0, 0, 0, 0);
}

async function readBytes(socket: Socket, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await socket.read(bytes.subarray(at));
    if (read === null) throw new Error("the client has disconnected");
    at += read;
  }
  return bytes;
}
