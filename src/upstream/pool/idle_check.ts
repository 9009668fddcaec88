// Is a session that lay idle still alive? The chain of health methods, and the deadline that each of them has.
import type { Clock } from "../../base/clock.ts";
import type { RpcAnswer } from "../client/client_peer.ts";

/** One of MCP_SESSION_POOL_HEALTH_CHECK_METHODS. */
export type HealthMethod = "ping" | "list_tools" | "list_prompts" | "list_resources" | "skip";

/** What a probe found. `unsupported`: the upstream answered that it lacks the method. `failed`: anything else, no answer too. */
export type ProbeVerdict = "healthy" | "unsupported" | "failed";

/** What each asks a session of the older revisions. */
export const PROBE_METHODS: Readonly<Record<HealthMethod, string>> = {
  ping: "ping",
  list_tools: "tools/list",
  list_prompts: "prompts/list",
  list_resources: "resources/list",
  // Never asked for.
  skip: "ping",
};

const METHOD_NOT_FOUND = -32601;

/** Makes one request of a health check. Never throws. */
export async function verdictOf(
  ask: (call: { timeoutMs: number; timeoutSetting: string }) => Promise<RpcAnswer>,
  timeoutMs: number,
): Promise<ProbeVerdict> {
  try {
    const answer = await ask({ timeoutMs, timeoutSetting: "MCP_SESSION_POOL_HEALTH_CHECK_TIMEOUT" });
    if (!answer.failed) return "healthy";
    return JSON.parse(answer.text).code === METHOD_NOT_FOUND ? "unsupported" : "failed";
  } catch {
    return "failed";
  }
}

export interface Probed {
  /** Ask the upstream; `skip` is never asked for. Never throws. */
  probe(method: HealthMethod, timeoutMs: number): Promise<ProbeVerdict>;
}

/**
 * Go down the chain: the first healthy or failed answer decides, an unsupported method tries the next, `skip` says healthy.
 * At the end of the chain the session is unhealthy: nothing has vouched for it. (A `ping` that timed out is a failure; in
 * ContextForge it fell through to `skip`, which called a dead session healthy.)
 */
export async function isHealthy(
  session: Probed,
  methods: readonly HealthMethod[],
  limits: ProbeLimits,
): Promise<boolean> {
  for (const method of methods) {
    if (method === "skip") return true;
    const verdict = await probeWithin(session, method, limits);
    if (verdict !== "unsupported") return verdict === "healthy";
  }
  return false;
}

export interface ProbeLimits {
  /** For each probe. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Nobody wants to know any more: the answer is unhealthy. */
  readonly signal: AbortSignal;
}

/** The session keeps the timeout itself; should it not, its caller must still not wait for ever. */
function probeWithin(session: Probed, method: HealthMethod, limits: ProbeLimits): Promise<ProbeVerdict> {
  const { timeoutMs, clock, signal } = limits;
  return new Promise((resolve) => {
    const settle = (verdict: ProbeVerdict) => {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", fail);
      resolve(verdict);
    };
    const fail = () => settle("failed");
    const timer = clock.setTimeout(fail, timeoutMs);
    signal.addEventListener("abort", fail);
    (async () => session.probe(method, timeoutMs))().then(settle, fail);
  });
}
