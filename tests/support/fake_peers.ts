// An upstream over channels without processes or sockets: each channel that is opened has a peer, which a script answers for.
import type { Clock } from "../../src/base/clock.ts";
import type { HeaderList } from "../../src/upstream/transport/transport.ts";
import type { Channel, OpenChannel, Receiver } from "../../src/upstream/duplex/duplex_channel.ts";
import type { DuplexConnection } from "../../src/upstream/duplex/duplex_connection.ts";
import { DuplexTransport, type DuplexTransportOptions } from "../../src/upstream/duplex/duplex_transport.ts";
import { STATELESS_REVISION } from "../../src/mcp/revisions.ts";

interface Said {
  readonly id?: number | string;
  readonly method: string;
  // deno-lint-ignore no-explicit-any -- params of any method; tests assert what they read.
  readonly params?: any;
}

/** What a peer does with a request. `error`: that JSON-RPC error; `exit`: its channel ends; undefined: nothing. */
export type Reaction =
  | { readonly result: unknown }
  | { readonly error: unknown }
  | "exit"
  | undefined;

export type Script = (said: Said, peer: FakePeer) => Reaction;

export const DISCOVERED = {
  resultType: "complete",
  supportedVersions: [STATELESS_REVISION],
  capabilities: {},
};

/** Of 2026-07-28 alone. */
export const statelessScript: Script = ({ method, params }) => {
  switch (method) {
    case "initialize":
      return { error: { code: -32022, message: "Unsupported protocol version", data: { supported: [] } } };
    case "server/discover":
      return { result: DISCOVERED };
    case "subscriptions/listen":
      return undefined;
    default:
      return { result: { resultType: "complete", method, name: params?.name } };
  }
};

/** Of the revisions with sessions alone. `onProbe`: what it does at what it does not know. */
export const sessionScript = (onProbe: Reaction): Script => ({ method }) => {
  switch (method) {
    case "initialize":
      return { result: { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "old" } } };
    case "server/discover":
      return onProbe;
    default:
      return { result: { method } };
  }
};

export class FakePeer implements Channel {
  /** What it was sent, in order. */
  readonly heard: Said[] = [];
  isOpen = true;
  readonly #receiver: Receiver;
  readonly #script: () => Script;

  constructor(readonly passed: HeaderList, receiver: Receiver, script: () => Script) {
    this.#receiver = receiver;
    this.#script = script;
  }

  get methods(): string[] {
    return this.heard.map(({ method }) => method);
  }

  send(text: string): Promise<void> {
    const said: Said = JSON.parse(text);
    this.heard.push(said);
    const reaction = this.#script()(said, this);
    if (reaction === "exit") this.exit();
    else if (reaction !== undefined && said.id !== undefined) {
      queueMicrotask(() => this.says({ id: said.id, ...reaction }));
    }
    return Promise.resolve();
  }

  says(message: object): void {
    if (this.isOpen) this.#receiver.receive(JSON.stringify({ jsonrpc: "2.0", ...message }));
  }

  exit(): void {
    this.isOpen = false;
    this.#receiver.ended("the process ended (exit code 1)");
  }

  withoutSecrets(text: string): string {
    return text;
  }

  close(): Promise<void> {
    this.isOpen = false;
    return Promise.resolve();
  }
}

export class FakePeers {
  /** One for each channel, in the order in which they were opened. */
  readonly peers: FakePeer[] = [];
  readonly connections = new Set<DuplexConnection>();
  readonly strays: string[] = [];
  script: Script;
  /** Thrown in place of the next channels. */
  failure: unknown = undefined;
  readonly #clock: Clock;

  constructor(clock: Clock, script: Script = statelessScript) {
    this.#clock = clock;
    this.script = script;
  }

  get last(): FakePeer {
    return this.peers.at(-1)!;
  }

  /** How many channels are open. */
  get open(): number {
    return this.peers.filter(({ isOpen }) => isOpen).length;
  }

  transport(options: Partial<DuplexTransportOptions> = {}): DuplexTransport {
    const open: OpenChannel = (passed, receiver) => {
      if (this.failure !== undefined) return Promise.reject(this.failure);
      const peer = new FakePeer(passed, receiver, () => this.script);
      this.peers.push(peer);
      return Promise.resolve(peer);
    };
    return new DuplexTransport({
      kind: "stdio",
      upstream: "up",
      address: "stdio:up",
      maxResponseBytes: 10_000,
      idleMs: Infinity,
      sharedIdleMs: Infinity,
      pingAfterMs: Infinity,
      openLimit: { ms: 5_000, setting: "A_SETTING" },
      clock: this.#clock,
      open,
      onStray: (what) => this.strays.push(what),
      connections: this.connections,
      ...options,
    });
  }
}
