// Reloads the certificate in all workers. The supervisor tries the files first, so that a bad file reaches no worker.
import { sleep, systemClock } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../telemetry/log.ts";
import { expiryWarning, type KeyPair, readKeyPair } from "../worker/listen/certificate.ts";
import type { Supervisor } from "./supervisor.ts";

/**
 * How long the old listeners serve beside the new ones. Their clients are told to close. A client that has sent nothing for so
 * long is unlikely to send a request just when its idle connection is closed.
 */
const BESIDE_MS = 4_000;

/** How long a connection that was being opened when the old listeners stopped has to send its request: less than a client's second try takes. */
const LAST_ARRIVALS_MS = 600;

/** Reads the files before a worker starts. @throws {SluiceError} CERTIFICATE_UNUSABLE */
export async function checkCertificate(config: Config, log: Log): Promise<void> {
  if (config.ssl) warnOfExpiry(await readKeyPair(config), log);
}

/** Logs the outcome: every worker serves the new certificate, or the reason why one still serves the old one. */
export async function reloadCertificate(
  config: Config,
  supervisor: Pick<Supervisor, "askAll" | "sockets">,
  log: Log,
): Promise<void> {
  if (!config.ssl) return;
  try {
    warnOfExpiry(await readKeyPair(config), log);
    const { sockets } = supervisor;
    const before = sockets?.list() ?? [];
    const failures = (await supervisor.askAll({ type: "reload_certificate" })).filter((reason) =>
      reason !== null
    );
    if (failures.length === 0) log.info("certificate reloaded", { certFile: config.certFile });
    else log.error("certificate not reloaded by every worker", { reasons: failures });
    await sleep(systemClock, BESIDE_MS);
    // A worker without a new listener needs its old one.
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
