// A steady load on a cluster that remembers what it was promised: counts in sessions, and rows that were acknowledged.
import type { Cluster } from "./cluster.ts";
import { INITIALIZE, inSession, toolCall } from "./mcp_post.ts";

export interface ClusterLoadResult {
  readonly answered: number;
  /** What else came back, by `calls` or `writes`, status and error code -> how often. */
  readonly failed: ReadonlyMap<string, number>;
  /** Sessions that ended with a 404 and were opened anew. */
  readonly sessionsLost: number;
  /** Counts that no single owner of the session can have given: two replicas had it at once. */
  readonly outOfTurn: readonly string[];
  /** The longest time that one client went without an answer of the right kind, ms: one that calls, and the one that writes. */
  readonly longestStallMs: { readonly calls: number; readonly writes: number };
  /** When the last failure came, performance.now(); -Infinity where there was none. */
  readonly lastFailureAt: number;
  readonly rowsAcknowledged: number;
  readonly rowsLost: readonly string[];
}

export interface ClusterLoad {
  /** So far. */
  readonly progress: Pick<ClusterLoadResult, "answered" | "rowsAcknowledged">;
  /** Ends it when every client has had an answer again. */
  stop(): Promise<ClusterLoadResult>;
}

export interface ClusterLoadOptions {
  readonly clients: number;
  /** Between a client's requests, ms. */
  readonly pauseMs: number;
  /** Part of every row's id. */
  readonly name: string;
}

/** A client gives up on an answer after this. */
const PATIENCE_MS = 40_000;

/** The upstream `counter` is registered. Every request has a connection of its own and so the next replica in turn. */
export async function startClusterLoad(
  cluster: Cluster,
  { clients, pauseMs, name }: ClusterLoadOptions,
): Promise<ClusterLoad> {
  const token = await cluster.token();
  const http = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const failed = new Map<string, number>();
  const outOfTurn: string[] = [];
  const acknowledged: string[] = [];
  let answered = 0;
  let sessionsLost = 0;
  const longestStallMs = { calls: 0, writes: 0 };
  let lastFailureAt = -Infinity;
  let isGoing = true;

  const send = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(cluster.url + path, {
      client: http,
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return {
      status: response.status,
      sessionId: response.headers.get("mcp-session-id"),
      text: await response.text(),
    };
  };
  const fail = (what: keyof typeof longestStallMs, reason: string) => {
    lastFailureAt = performance.now();
    const key = `${what}: ${reason}`;
    failed.set(key, (failed.get(key) ?? 0) + 1);
  };
  /** Runs `step` again and again until it is told to end, and then once more until it succeeds. */
  const keepAt = async (what: keyof typeof longestStallMs, step: () => Promise<boolean>) => {
    let lastSuccess = performance.now();
    for (let isDone = false; !isDone;) {
      const wasGoing = isGoing;
      const isRight = await step().catch((error) => (fail(what, `no answer: ${error.name}`), false));
      if (isRight) {
        const now = performance.now();
        longestStallMs[what] = Math.max(longestStallMs[what], now - lastSuccess);
        lastSuccess = now;
        answered++;
        isDone = !wasGoing;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };

  const countInSession = () => {
    let session: string | null = null;
    let count = 0;
    /** Calls without an answer: they may have counted, or may yet, when whoever stands still goes on. */
    let unanswered = 0;
    return keepAt("calls", async () => {
      if (session === null) {
        const { status, sessionId, text } = await send("/mcp", INITIALIZE);
        if (status !== 200) return fail("calls", reasonOf(status, text)), false;
        session = sessionId;
        count = unanswered = 0;
        return true;
      }
      unanswered++;
      const { status, text } = await send("/mcp", toolCall("counter-increment"), inSession(session));
      if (status === 404) {
        sessionsLost++;
        session = null;
        return false;
      }
      const given = Number(/"text":"(\d+)"/.exec(text)?.[1]);
      if (status !== 200 || !(given > 0)) return fail("calls", reasonOf(status, text)), false;
      // One more than before, or 1 at a new owner, and more by calls that were not answered.
      const from = given > count ? count : 0;
      if (given > from + unanswered) outOfTurn.push(`${given} after ${count}, ${unanswered} sent`);
      unanswered = Math.max(0, unanswered - (given - from));
      count = given;
      return true;
    });
  };
  let row = 0;
  const writeRows = () =>
    keepAt("writes", async () => {
      const id = `${name}-${row++}`;
      const { status, text } = await send("/servers", { server: { id, name: id } });
      if (status !== 201) return fail("writes", reasonOf(status, text)), false;
      acknowledged.push(id);
      return true;
    });

  const running = [...Array.from({ length: clients }, countInSession), writeRows()];
  return {
    get progress() {
      return { answered, rowsAcknowledged: acknowledged.length };
    },
    async stop() {
      isGoing = false;
      await Promise.all(running);
      http.close();
      const { body } = await cluster.api("GET", "/servers?limit=0");
      const there = new Set(body.map(({ id }: { id: string }) => id));
      return {
        ...{ answered, failed, sessionsLost, outOfTurn, longestStallMs, lastFailureAt },
        rowsAcknowledged: acknowledged.length,
        rowsLost: acknowledged.filter((id) => !there.has(id)),
      };
    },
  };
}

function reasonOf(status: number, text: string): string {
  const code = /"code":"([A-Z_]+)"/.exec(text)?.[1];
  return code === undefined ? String(status) : `${status} ${code}`;
}
