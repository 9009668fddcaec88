// A load that goes on until it is told to end, and remembers every answer that was none.
export interface LoadResult {
  readonly ok: number;
  readonly failures: readonly string[];
  /** The longest time between two successes, ms. */
  readonly longestGapMs: number;
}

export interface SteadyLoad {
  /** Right answers so far. */
  readonly ok: number;
  stop(): Promise<LoadResult>;
}

export interface LoadOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly clients: number;
  /** Is the answer the right one? */
  readonly isRight: (status: number, text: string) => boolean;
  /** A connection for each request. */
  readonly freshConnections?: boolean;
  /** Between a client's requests, ms. */
  readonly pauseMs?: number;
}

export function startLoad(options: LoadOptions): SteadyLoad {
  const { url, headers, body, clients, isRight, freshConnections = false, pauseMs = 0 } = options;
  let going = true;
  let ok = 0;
  let lastSuccess = Date.now();
  let longestGapMs = 0;
  const failures: string[] = [];
  const client = Deno.createHttpClient(
    freshConnections ? { poolMaxIdlePerHost: 0 } : { poolMaxIdlePerHost: clients },
  );
  const run = async () => {
    while (going) {
      try {
        const response = await fetch(url, { client, method: "POST", headers, body });
        const text = await response.text();
        if (isRight(response.status, text)) {
          const now = Date.now();
          longestGapMs = Math.max(longestGapMs, now - lastSuccess);
          lastSuccess = now;
          ok++;
        } else failures.push(`${response.status} ${text.slice(0, 200)}`);
      } catch (error) {
        failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const running = Array.from({ length: clients }, run);
  return {
    get ok() {
      return ok;
    },
    async stop() {
      going = false;
      await Promise.all(running);
      client.close();
      return { ok, failures, longestGapMs };
    },
  };
}
