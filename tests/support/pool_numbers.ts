// The session pools as operators see them, of all of a gateway's processes together.
import type { Gateway } from "./gateway.ts";
import type { Answer } from "./sluice.ts";

type Processes = Pick<Gateway, "processes">;

/** What each process answers to GET /admin/mcp-pool/metrics. */
export async function poolMetrics({ processes }: Processes): Promise<Answer["body"][]> {
  return (await Promise.all(processes.map((each) => each.api("GET", "/admin/mcp-pool/metrics"))))
    .map(({ body }) => body);
}

/** Of each name, added up. */
export async function poolNumbers(gateway: Processes, ...names: string[]): Promise<number[]> {
  const all = await poolMetrics(gateway);
  return names.map((name) => all.reduce((sum, metrics) => sum + metrics[name], 0));
}

/** Idle sessions end. @param query e.g. `?gateway_id=` @returns how many ended, and how many will when they come back */
export async function drainPools({ processes }: Processes, query = ""): Promise<Answer["body"]> {
  const answers = await Promise.all(
    processes.map((each) => each.api("DELETE", `/admin/mcp-pool/sessions${query}`)),
  );
  const sum = (name: string) => answers.reduce((sum, { body }) => sum + body[name], 0);
  return { closed: sum("closed"), pending: sum("pending") };
}
