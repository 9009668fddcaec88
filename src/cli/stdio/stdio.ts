// `sluice stdio`: runs the gateway as a stdio MCP server for a desktop client. It has no port and no workers. The one client is
// this machine's operator; log and errors go to standard error.
import { NO_CACHE } from "../../cache/cache.ts";
import { operatorOf } from "../../auth/principal.ts";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { sleep, systemClock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { loadProcessConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import type { DuplexSession } from "../../downstream/duplex/duplex_session.ts";
import { scopeFor } from "../../downstream/exchange/visible_scope.ts";
import { AccessLog } from "../../http/access_log.ts";
import { createLog, type Log, stdoutSink } from "../../telemetry/log.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { createGateway, type Gateway } from "../../worker/wiring/gateway.ts";
import { createTraces } from "../../worker/wiring/parts/trace_parts.ts";
import { openStore } from "../../worker/wiring/open_store.ts";
import type { StdioArgs } from "../commands/command_arguments.ts";
import {
  giveUpPermissions,
  needsOf,
  requireBasicPermissions,
  requirePermissions,
} from "../isolation/permissions.ts";
import { prepare, warnOfSettings } from "../command_line/prepare.ts";
import { serverMistakes } from "../command_line/server_flag.ts";
import { isolateStdio } from "../isolation/stdio_isolation.ts";
import { stopSignal } from "../command_line/stop_signal.ts";
import { usage } from "../command_line/usage.ts";
import { LineWriter, readLines } from "./lines.ts";

/** The interval for reading the catalog again: another process may change it, such as `sluice serve` on the same database. */
const LOOK_AT_CATALOG_EVERY_MS = 2_000;
/** Clients kill a server that has not ended 2 s after SIGTERM. */
const CLOSE_WITHIN_MS = 1_500;

/**
 * Serves until the end of standard input, SIGINT or SIGTERM, or until the client no longer reads standard output.
 * @returns the exit code: 1 if the client did not keep up
 * @throws {SluiceError} if the gateway cannot start
 */
export async function stdio({ server, url, tokenFile }: StdioArgs): Promise<number> {
  // Standard output belongs to the client. A library that writes to the console would break the protocol.
  console.log = console.info = console.debug = console.error;
  if (url !== null) {
    return await (await import("./bridge.ts")).bridge({ server, url, tokenFile });
  }
  requireBasicPermissions();
  const stopping = stopSignal();
  const loaded = loadProcessConfig({ dev: false, overrides: {} });
  const { config, warnings } = loaded;
  const sink = stdoutSink(Deno.stderr);
  const log = createLog({ level: config.logLevel, format: config.logFormat, sink });
  warnOfSettings(warnings, config, sink);
  const needs = needsOf(config);
  requirePermissions(needs);
  const secrets = await prepare(config, log);
  await isolateStdio(loaded, sink);
  giveUpPermissions(needs, log);
  const store = await openStore(config, secrets, log);
  if (server !== null) {
    const mistakes = serverMistakes(
      server,
      operatorOf(config.platformAdminEmail),
      await store.registry.servers.list(),
    );
    if (mistakes.length > 0) throw usage(mistakes, "stdio");
  }
  const metrics = new Metrics(config.metricsMaxNames);
  const traces = await createTraces(config, { worker: 0, clock: systemClock, log, metrics });
  const { disableAccessLog, logFormat: format } = config;
  const gateway = await createGateway({
    config,
    secrets,
    log,
    metrics,
    tracer: traces?.tracer ?? null,
    accessLog: new AccessLog({ worker: 0, format, sink, writes: !disableAccessLog }),
    rateLimiter: null,
    quotas: null,
    tokenGate: null,
    callAudit: null,
    executions: null,
    store,
    memory: ClientMemory.ofMebibytes(config.maxClientMemoryMb),
    records: NO_CACHE,
    peers: null,
  });
  const stopLooking = keepCatalogFresh(gateway, log);
  const lost = Promise.withResolvers<unknown>();
  const writer = new LineWriter(Deno.stdout, lost.resolve);
  try {
    return await serveClient({ gateway, config, log, server, stopping, writer, lost: lost.promise });
  } finally {
    stopLooking();
    // The writer may still hold the last messages for the client.
    const closing = gateway.close().then(() => traces?.close()).then(() => store.database.close());
    const closed = Promise.all([closing, writer.flush()]);
    await Promise.race([closed, sleep(systemClock, CLOSE_WITHIN_MS)]);
    await sink.flush();
  }
}

async function serveClient(
  { gateway, config, log, server, stopping, writer, lost }: {
    readonly gateway: Gateway;
    readonly config: Config;
    readonly log: Log;
    readonly server: string | null;
    readonly stopping: Promise<Deno.Signal>;
    readonly writer: LineWriter;
    /** Resolves when the client no longer reads from `writer`. */
    readonly lost: Promise<unknown>;
  },
): Promise<number> {
  const sender = { principal: operatorOf(config.platformAdminEmail), received: new Headers() };
  // The operator learns of a virtual server that is switched off now, and not at every call.
  scopeFor(gateway.catalog.now, sender.principal, server);
  const session: DuplexSession = gateway.duplex.open(
    { principal: sender.principal, serverId: server, endpoint: "stdio", path: "stdio" },
    { send: (text) => writer.send(text), close: () => void session.end() },
  );
  const read = async () => {
    for await (const line of readLines(Deno.stdin.readable, config.maxBodyBytes)) {
      if (line instanceof SluiceError) session.refuse(line, sender);
      else session.receive(line, sender);
    }
    // A client that pipes its requests in still gets the responses.
    await Promise.race([gateway.duplex.drain(), sleep(systemClock, config.gracefulTimeoutMs)]);
    await writer.flush();
    return "standard input has ended";
  };
  const failure = lost.then((error) => ({ error }));
  log.info("serving", { transport: "stdio", server });
  const end = await Promise.race([stopping, read(), failure]);
  // Subscriptions end after a signal; at the end of the input they have ended already.
  gateway.listeners.end();
  if (typeof end === "string") {
    log.info("stopping", { reason: end });
    return 0;
  }
  // A client that has left does not read the exit code.
  if (end.error instanceof Deno.errors.BrokenPipe) return 0;
  log.error("stopping", { reason: reasonOf(end.error) });
  return 1;
}

/** Reads the catalog again and again. @returns stops that */
function keepCatalogFresh(gateway: Gateway, log: Log): () => void {
  const timer = setInterval(
    () =>
      gateway.refreshCatalog().catch((error) =>
        log.warning("catalog cannot be read", { reason: reasonOf(error) })
      ),
    LOOK_AT_CATALOG_EVERY_MS,
  );
  return () => clearInterval(timer);
}
