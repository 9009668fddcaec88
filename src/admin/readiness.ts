// Can this worker do all of its work? Each of the services that it needs is asked.
import { type Clock, systemClock } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";

export interface Readiness {
  readonly ready: boolean;
  /** One for each service that does not answer, its name first. */
  readonly reasons: string[];
}

/** Whoever asks looks away soon: a service that takes longer counts as gone. */
const WITHIN_MS = 2_000;

/** @param services by name; each rejects where it cannot be used */
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

async function faultOf(ask: () => Promise<unknown>, clock: Clock): Promise<string | null> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = clock.setTimeout(() => resolve(`no answer within ${WITHIN_MS} ms`), WITHIN_MS);
  try {
    return await Promise.race([ask().then(() => null, reasonOf), late]);
  } finally {
    clock.clearTimeout(timer);
  }
}
