// A new certificate for all workers: tried here first, so that a bad file troubles none of them.
import { sleep, systemClock } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../telemetry/log.ts";
import { expiryWarning, type KeyPair, readKeyPair } from "../worker/listen/certificate.ts";
import { openListeningSockets } from "./kernel/listening_sockets.ts";
import type { Supervisor } from "./supervisor.ts";

/**
 * How long the old listeners go on beside the new ones. Their clients are told to close; whoever has not sent anything for so
 * long is unlikely to do so in the very moment in which its idle connection is closed.
 */
const BESIDE_MS = 4_000;

/** How long what was connecting when the old listeners stopped has to send its request: less than the second after which a client tries again. */
const LAST_ARRIVALS_MS = 600;

/** Reads the files before anything is started. @throws {SluiceError} CERTIFICATE_UNUSABLE */
export async function checkCertificate(config: Config, log: Log): Promise<void> {
  if (config.ssl) warnOfExpiry(await readKeyPair(config), log);
}

/** What happened is in the log: every worker serves the new certificate, or why one serves the old one on. */
export async function reloadCertificate(
  config: Config,
  supervisor: Pick<Supervisor, "askAll">,
  log: Log,
): Promise<void> {
  if (!config.ssl) return;
  try {
    warnOfExpiry(await readKeyPair(config), log);
    const sockets = openListeningSockets(config.port);
    const before = sockets?.list() ?? [];
    const failures = (await supervisor.askAll({ type: "reload_certificate" })).filter((reason) =>
      reason !== null
    );
    if (failures.length === 0) log.info("certificate reloaded", { certFile: config.certFile });
    else log.error("certificate not reloaded by every worker", { reasons: failures });
    await sleep(systemClock, BESIDE_MS);
    // A worker that has no new listener needs its old one.
    if (failures.length === 0) sockets?.ignoreNewConnections(before);
    await sleep(systemClock, LAST_ARRIVALS_MS);
    await supervisor.askAll({ type: "close_retired" });
  } catch (error) {
    log.error("certificate not reloaded, the old one is served on", { reason: reasonOf(error) });
  }
}

function warnOfExpiry(keyPair: KeyPair, log: Log): void {
  const warning = expiryWarning(keyPair, Date.now());
  if (warning !== null) log.warning("certificate", { warning });
}
