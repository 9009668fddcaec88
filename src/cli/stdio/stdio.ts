// `sluice stdio`: the gateway as the one MCP server of a desktop client that starts it. No port, no workers: one client on standard
// input and output, who is this machine's operator. Everything else that is said goes to standard error.
import type { Principal } from "../../auth/principal.ts";
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
import { openStore } from "../../worker/wiring/open_store.ts";
import type { StdioArgs } from "../command_line/flags.ts";
import { prepare, warnOfSettings } from "../command_line/prepare.ts";
import { LineWriter, readLines } from "./lines.ts";
import { stopSignal } from "../command_line/stop_signal.ts";

/** Another process may change the registry, e.g. `sluice serve` on the same database: it is looked at so often. */
const LOOK_AT_CATALOG_EVERY_MS = 2_000;
/** Clients kill what has not ended 2 s after SIGTERM. */
const CLOSE_WITHIN_MS = 1_500;

/**
 * Runs until the end of standard input, SIGINT or SIGTERM, or until nobody reads standard output.
 * @returns the exit code: 1 where the client did not keep up or the gateway behind `--url` went away. @throws {SluiceError} why it cannot start
 */
export async function stdio({ server, url, tokenFile }: StdioArgs): Promise<number> {
  // Standard output belongs to the client, also where a library means to be helpful.
  console.log = console.info = console.debug = console.error;
  if (url !== null) {
    return await (await import("./bridge.ts")).bridge({ server, url, tokenFile });
  }
  const stopping = stopSignal();
  const { config, warnings } = loadProcessConfig({ dev: false, overrides: {} });
  const sink = stdoutSink(Deno.stderr);
  const log = createLog({ level: config.logLevel, format: config.logFormat, sink });
  warnOfSettings(warnings, config, sink);
  const secrets = await prepare(config, log);
  const store = await openStore(config, secrets, log);
  const gateway = await createGateway({
    config,
    secrets,
    log,
    metrics: new Metrics(),
    accessLog: config.disableAccessLog ? null : new AccessLog({ worker: 0, format: config.logFormat, sink }),
    rateLimiter: null,
    store,
    peers: null,
  });
  const stopLooking = keepCatalogFresh(gateway, log);
  const lost = Promise.withResolvers<unknown>();
  const writer = new LineWriter(Deno.stdout, lost.resolve);
  try {
    return await serveClient({ gateway, config, log, server, stopping, writer, lost: lost.promise });
  } finally {
    stopLooking();
    // The last messages for the client may still wait to be written.
    const closed = Promise.all([gateway.close().then(() => store.database.close()), writer.flush()]);
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
    /** Resolves when nobody takes what `writer` writes. */
    readonly lost: Promise<unknown>;
  },
): Promise<number> {
  const sender = { principal: localOperator(config), received: new Headers() };
  // A wrong --server is said at once, and not to every call.
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
    // Who pipes its requests in gets the answers still.
    await Promise.race([gateway.duplex.drain(), sleep(systemClock, config.gracefulTimeoutMs)]);
    await writer.flush();
    return "standard input has ended";
  };
  const failure = lost.then((error) => ({ error }));
  log.info("serving", { transport: "stdio", server });
  const end = await Promise.race([stopping, read(), failure]);
  // After a signal; at the end of the input it has happened.
  gateway.listeners.end();
  if (typeof end === "string") {
    log.info("stopping", { reason: end });
    return 0;
  }
  // A client that is gone has no use for an exit code.
  if (end.error instanceof Deno.errors.BrokenPipe) return 0;
  log.error("stopping", { reason: reasonOf(end.error) });
  return 1;
}

/** @returns ends it */
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

/** Who starts a program on this machine may do there what its operator may. */
function localOperator({ platformAdminEmail }: Config): Principal {
  return {
    kind: "user",
    subject: platformAdminEmail,
    issuer: null,
    email: platformAdminEmail,
    isAdmin: true,
    teams: null,
    serverId: null,
    permissions: null,
    expiresAt: null,
    jti: null,
  };
}
