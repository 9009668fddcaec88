// One number of a gateway's /metrics/prometheus.
import type { Sluice } from "./sluice.ts";

/** The sum of a metric over its labels, or of those lines that contain `label`; 0 where nothing was counted yet. */
export async function metric(sluice: Sluice, name: string, label = ""): Promise<number> {
  const { body } = await sluice.api("GET", "/metrics/prometheus");
  const lines = String(body).split("\n").filter((line) => line.startsWith(name) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
