// Numbers of a gateway's /metrics/prometheus, of all its processes together.
import type { Gateway } from "./gateway.ts";
import { waitFor } from "./wait_for.ts";

/** The sum of a metric over its labels, or of those lines that contain `label`; 0 where nothing was counted yet. */
export async function metric(
  { processes }: Pick<Gateway, "processes">,
  name: string,
  label = "",
): Promise<number> {
  const texts = await Promise.all(
    processes.map(async (each) => String((await each.api("GET", "/metrics/prometheus")).body)),
  );
  const lines = texts.flatMap((text) => text.split("\n"))
    .filter((line) => line.startsWith(name) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** What is open now, for clients and for other replicas: a metric that the answer telling it is no part of. */
export async function open(sluice: Pick<Gateway, "processes">): Promise<[requests: number, streams: number]> {
  const count = async (names: readonly string[]) => {
    const values = await Promise.all(names.map((name) => metric(sluice, `${name} `)));
    return values.reduce((sum, value) => sum + value, 0);
  };
  return await Promise.all([
    count(["sluice_requests_in_flight", "sluice_replica_requests_in_flight"]),
    count(["sluice_streams_open", "sluice_replica_streams_open"]),
  ]);
}

export async function atRest(sluice: Pick<Gateway, "processes">): Promise<void> {
  await waitFor(async () => (await open(sluice)).every((count) => count === 0), { what: "no place taken" });
}
