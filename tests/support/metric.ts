// Numbers of a gateway's /metrics/prometheus.
import type { Sluice } from "./sluice.ts";
import { waitFor } from "./wait_for.ts";

/** The sum of a metric over its labels, or of those lines that contain `label`; 0 where nothing was counted yet. */
export async function metric(sluice: Sluice, name: string, label = ""): Promise<number> {
  const { body } = await sluice.api("GET", "/metrics/prometheus");
  const lines = String(body).split("\n").filter((line) => line.startsWith(name) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** What is open now: a metric that the answer telling it is no part of. */
export function open(sluice: Sluice): Promise<[requests: number, streams: number]> {
  return Promise.all([metric(sluice, "sluice_requests_in_flight "), metric(sluice, "sluice_streams_open ")]);
}

export async function atRest(sluice: Sluice): Promise<void> {
  await waitFor(async () => (await open(sluice)).every((count) => count === 0), { what: "no place taken" });
}
