// Checks the services that a worker needs: the database and the cache.
import { type Clock, systemClock } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";

export interface Readiness {
  readonly ready: boolean;
  /** One reason for each service that does not answer, as "name: reason". */
  readonly reasons: string[];
}

/** A load balancer waits only a few seconds: a service that takes longer counts as unavailable. */
const WITHIN_MS = 2_000;

/** @param services a check for each service, by name; the check rejects if the service is unavailable */
export async function checkReadiness(
  services: Readonly<Record<string, () => Promise<unknown>>>,
  clock: Clock = systemClock,
): Promise<Readiness> {
  const faults = await Promise.all(
    Object.entries(services).map(async ([name, ask]) => {
      const reason = await faultOf(ask, clock);
      return reason === null ? [] : [`${name}: ${reason}`];
    }),
  );
  const reasons = faults.flat();
  return { ready: reasons.length === 0, reasons };
}

/**
 * A check that the gateway has started.
 * @param ask for what the start waits; null: for nothing any more, and nobody is asked again
 */
export function untilStarted(ask: () => Promise<string | null>): () => Promise<void> {
  let hasStarted = false;
  return async () => {
    const waitsFor = hasStarted ? null : await ask();
    if (waitsFor !== null) throw new Error(waitsFor);
    hasStarted = true;
  };
}

async function faultOf(ask: () => Promise<unknown>, clock: Clock): Promise<string | null> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = clock.setTimeout(() => resolve(`no answer within ${WITHIN_MS} ms`), WITHIN_MS);
  try {
    return await Promise.race([ask().then(() => null, reasonOf), late]);
  } finally {
    clock.clearTimeout(timer);
  }
}
