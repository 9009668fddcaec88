// A channel whose other side is the test: what was sent lies in a list, what comes is said by `says`.
import type { Clock } from "../../src/base/clock.ts";
import type { OnMessage } from "../../src/upstream/transport/transport.ts";
import { DuplexConnection, type DuplexOptions } from "../../src/upstream/duplex/duplex_connection.ts";
import type { Channel } from "../../src/upstream/duplex/duplex_channel.ts";
import { SessionDialect } from "../../src/upstream/duplex/session_dialect.ts";

export class FakeChannel implements Channel {
  readonly connection: DuplexConnection;
  /** The texts that were sent, in order. */
  readonly sent: string[] = [];
  /** What the connection passed over, in words. */
  readonly strays: string[] = [];
  /** What the session was given: the texts. */
  readonly received: string[] = [];
  closings = 0;
  endings = 0;
  /** Stands for a side that takes nothing: sends wait for ever. */
  isStuck = false;

  constructor(clock: Clock, options: Partial<DuplexOptions> = {}) {
    const onMessage: OnMessage = (_value, text) => this.received.push(text);
    this.connection = new DuplexConnection({
      upstream: "up",
      maxResponseBytes: 1_000,
      clock,
      idleMs: Infinity,
      pingAfterMs: Infinity,
      dialect: new SessionDialect(onMessage),
      onStray: (what) => this.strays.push(what),
      onEnded: () => this.endings++,
      ...options,
    });
    this.connection.attach(this);
  }

  send(text: string): Promise<void> {
    this.sent.push(text);
    return this.isStuck ? new Promise(() => {}) : Promise.resolve();
  }

  withoutSecrets(text: string): string {
    return text;
  }

  close(): Promise<void> {
    this.closings++;
    return Promise.resolve();
  }

  says(message: unknown): void {
    this.connection.receive(typeof message === "string" ? message : JSON.stringify(message));
  }

  answers(id: number, result: unknown = {}): void {
    this.says({ jsonrpc: "2.0", id, result });
  }
}
