// Checks whether an idle session is alive, with a chain of health methods and a deadline for each.
import type { Clock } from "../../base/clock.ts";
import type { RpcAnswer } from "../client/client_peer.ts";

/** One of MCP_SESSION_POOL_HEALTH_CHECK_METHODS. */
export type HealthMethod = "ping" | "list_tools" | "list_prompts" | "list_resources" | "skip";

/** `unsupported`: the upstream lacks the method. `failed`: any other error, or no answer. */
export type HealthVerdict = "healthy" | "unsupported" | "failed";

/** The request of each method in the revisions with sessions. */
export const HEALTH_METHODS: Readonly<Record<HealthMethod, string>> = {
  ping: "ping",
  list_tools: "tools/list",
  list_prompts: "prompts/list",
  list_resources: "resources/list",
  // `skip` sends no request.
  skip: "ping",
};

const METHOD_NOT_FOUND = -32601;

/** Makes one request of a health check. Never throws. */
export async function verdictOf(
  ask: (call: { timeoutMs: number; timeoutSetting: string }) => Promise<RpcAnswer>,
  timeoutMs: number,
): Promise<HealthVerdict> {
  try {
    const answer = await ask({ timeoutMs, timeoutSetting: "MCP_SESSION_POOL_HEALTH_CHECK_TIMEOUT" });
    if (!answer.failed) return "healthy";
    return JSON.parse(answer.text).code === METHOD_NOT_FOUND ? "unsupported" : "failed";
  } catch {
    return "failed";
  }
}

export interface HealthCheckable {
  /** Sends the method's request; `skip` is never passed. Never throws. */
  checkHealth(method: HealthMethod, timeoutMs: number): Promise<HealthVerdict>;
}

/**
 * Tries the methods in order. The first healthy or failed answer decides; an unsupported method leads to the next; `skip`
 * means healthy. At the end of the chain the session is unhealthy. A `ping` that timed out is a failure. In ContextForge it
 * led to `skip`, which declared dead sessions healthy.
 */
export async function isHealthy(
  session: HealthCheckable,
  methods: readonly HealthMethod[],
  limits: HealthCheckLimits,
): Promise<boolean> {
  for (const method of methods) {
    if (method === "skip") return true;
    const verdict = await checkWithin(session, method, limits);
    if (verdict !== "unsupported") return verdict === "healthy";
  }
  return false;
}

export interface HealthCheckLimits {
  /** For each probe. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Aborts the check; the result is then unhealthy. */
  readonly signal: AbortSignal;
}

/** Enforces the timeout for sessions that do not. */
function checkWithin(
  session: HealthCheckable,
  method: HealthMethod,
  limits: HealthCheckLimits,
): Promise<HealthVerdict> {
  const { timeoutMs, clock, signal } = limits;
  return new Promise((resolve) => {
    const settle = (verdict: HealthVerdict) => {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", fail);
      resolve(verdict);
    };
    const fail = () => settle("failed");
    const timer = clock.setTimeout(fail, timeoutMs);
    signal.addEventListener("abort", fail);
    (async () => session.checkHealth(method, timeoutMs))().then(settle, fail);
  });
}
