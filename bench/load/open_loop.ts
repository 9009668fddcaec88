// The clients of pages.ts, in a process of their own: requests leave at times that do not depend on the answers. A job comes on standard
// input as JSON, its result leaves on standard output.
import { percentile } from "./lane.ts";

/** Requests at a steady rate. Each takes the next cookie or none. */
export interface Stream {
  readonly url: string;
  /** Per second; 0: none. */
  readonly rate: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
  /** Without a body it is a GET. */
  readonly body?: string;
  /** Part of every right answer. */
  readonly expected: string;
}

export interface Job {
  readonly seconds: number;
  readonly streams: readonly Stream[];
}

export interface StreamResult {
  readonly sent: number;
  /** From the time when the request was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly hits: number;
  /** Answers with another status or text, and requests without an answer. */
  readonly wrong: number;
}

const TICK_MS = 2;

async function run({ url, rate, headers, cookies, body, expected }: Stream, seconds: number) {
  const [times, pending]: [number[], Promise<void>[]] = [[], []];
  let [sent, hits, wrong] = [0, 0, 0];
  const begun = performance.now();
  const ask = async (due: number, cookie: string | undefined) => {
    try {
      const response = await fetch(url, {
        method: body === undefined ? "GET" : "POST",
        headers: cookie === undefined ? headers : { ...headers, cookie },
        body,
      });
      const text = await response.text();
      times.push(performance.now() - due);
      const cache = response.headers.get("x-cache-status");
      if (cache === "HIT" || cache === "STALE") hits++;
      if (response.status !== 200 || !text.includes(expected)) wrong++;
    } catch {
      wrong++;
    }
  };
  const total = Math.floor(rate * seconds);
  while (sent < total) {
    const dueNow = Math.min(total, Math.ceil((performance.now() - begun) * rate / 1_000));
    for (; sent < dueNow; sent++) {
      pending.push(ask(begun + sent * 1_000 / rate, cookies?.[sent % cookies.length]));
    }
    await new Promise((done) => setTimeout(done, TICK_MS));
  }
  await Promise.all(pending);
  return { sent, hits, wrong, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

if (import.meta.main) {
  const { seconds, streams }: Job = await new Response(Deno.stdin.readable).json();
  console.log(JSON.stringify(await Promise.all(streams.map((stream) => run(stream, seconds)))));
}
