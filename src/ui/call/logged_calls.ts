// Who has called, from the lines of the log that GET /logs answers.

export interface LoggedCalls {
  readonly logs: readonly {
    readonly message: string | null;
    readonly caller: string | null;
    readonly data: Readonly<Record<string, unknown>>;
  }[];
}

export interface LoggedCaller {
  readonly caller: string;
  readonly calls: number;
  readonly failures: number;
}

/** The callers of MCP requests, those with most calls first. */
export function callersIn(logs: LoggedCalls["logs"]): LoggedCaller[] {
  const callers = new Map<string, LoggedCaller>();
  for (const { message, caller, data } of logs) {
    const isCall = message === "call" || message === "request" && data.rpcMethod !== undefined;
    if (caller === null || !isCall) continue;
    const { calls, failures } = callers.get(caller) ?? { calls: 0, failures: 0 };
    callers.set(caller, { caller, calls: calls + 1, failures: failures + (data.code === undefined ? 0 : 1) });
  }
  return [...callers.values()].sort((a, b) => b.calls - a.calls);
}
