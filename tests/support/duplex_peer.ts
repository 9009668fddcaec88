// A transport to a peer of the test's own, with the worker's real HTTP client and real limits on time.
import { systemClock } from "../../src/base/clock.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { createLog } from "../../src/telemetry/log.ts";
import type { Proxies } from "../../src/upstream/dial/proxies.ts";
import { Http1Client } from "../../src/upstream/http_client/http1_client.ts";
import { UpstreamSession } from "../../src/upstream/session/upstream_session.ts";
import { StdioProcesses } from "../../src/upstream/stdio/processes.ts";
import { Transports, type TransportTarget } from "../../src/upstream/transports.ts";
import { MemorySink } from "./fakes.ts";

export interface PeerOptions {
  readonly checkAddress?: (host: string, ip: string) => void;
  readonly maxResponseBytes?: number;
  readonly proxies?: Proxies;
}

export class DuplexPeer implements AsyncDisposable {
  readonly transports: Transports;
  readonly #client: Http1Client;

  constructor({ checkAddress = () => {}, maxResponseBytes = 10_000, proxies }: PeerOptions = {}) {
    const client = this.#client = new Http1Client({
      maxConnections: 10,
      maxKeepaliveConnections: 10,
      keepaliveExpiryMs: 1_000,
      connectTimeoutMs: 2_000,
      readTimeoutMs: 5_000,
      writeTimeoutMs: 5_000,
      poolTimeoutMs: 1_000,
      maxHeadBytes: 10_000,
      checkAddress,
      proxies,
    });
    const log = createLog({ level: "ERROR", format: "json", sink: new MemorySink() });
    this.transports = new Transports({
      agentHeaders: [],
      client,
      processes: new StdioProcesses({
        stdioEnabled: false,
        stdioAllowedCommands: [],
        stdioAllowedVariables: [],
        account: null,
        stdioMaxProcesses: 0,
        stdioMaxProcessesPerUpstream: 0,
        maxLineBytes: 1,
        clock: systemClock,
        log,
        environment: () => undefined,
        onStarted: () => {},
      }),
      maxResponseBytes,
      stdioIdleMs: Infinity,
      sharedIdleMs: Infinity,
      openTimeoutMs: 5_000,
      stdioStartTimeoutMs: 5_000,
      connect: (url, request) => client.connect(url, request),
      clock: systemClock,
      log,
      countStray: () => {},
    });
  }

  /** A session to it; the handshake may take `timeoutMs`. */
  open(
    target: Pick<TransportTarget, "transport" | "url"> & Partial<TransportTarget>,
    { timeoutMs = 5_000, ...more }: {
      timeoutMs?: number;
      signal?: AbortSignal;
      passed?: [string, string][];
    } = {},
  ): Promise<UpstreamSession> {
    return UpstreamSession.open(this.transports.make({ upstream: "up", headers: [], ...target }), {
      clientInfo: { name: "test", version: "1" },
      timeoutMs,
      timeoutSetting: "A_SETTING",
      ...more,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transports.close();
    this.#client.close();
  }
}

/** The code and params of the error that `work` fails with. */
export async function failureOf(
  work: Promise<unknown>,
): Promise<Pick<SluiceError, "code" | "params">> {
  try {
    await work;
  } catch (error) {
    if (error instanceof SluiceError) return { code: error.code, params: error.params };
    throw error;
  }
  throw new Error("it did not fail");
}

/** How a well-behaved server answers a message; undefined: not at all. */
export function answerTo(text: string): string | undefined {
  const { id, method } = JSON.parse(text);
  if (id === undefined || method === undefined) return undefined;
  const result = method === "initialize"
    ? { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "peer", version: "1" } }
    : { ok: true };
  return JSON.stringify({ jsonrpc: "2.0", id, result });
}
