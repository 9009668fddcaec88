// What drives a load run: wrk where it is installed, else a client in this process. Both are closed-loop: each of N clients sends
// its next request when the reply to its last has come.

import { PeerClosed, RawConnection } from "../../tests/support/raw_http.ts";
import { hasProgram } from "../../tests/support/programs.ts";

/** One request, and what its every reply has to hold. */
export interface LoadRequest {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Part of every right reply, byte for byte; its status is 200. */
  readonly expected: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests without a reply, or with a wrong one. */
  readonly errors: number;
}

export type LoadClient = (request: LoadRequest, concurrency: number, seconds: number) => Promise<LoadResult>;

/** The client to use, and its name. wrk costs a tenth of what a client in JavaScript does, and so leaves the CPU to the server. */
export function loadClient(name?: string): { readonly name: string; readonly run: LoadClient } {
  if (name === "wrk" || (name === undefined && hasProgram("wrk"))) return { name: "wrk", run: wrk };
  if (name === undefined || name === "deno") return { name: "deno", run: denoClient };
  throw new Error(`Unknown load client "${name}": expected wrk or deno`);
}

async function wrk(
  { port, path, headers, body, expected }: LoadRequest,
  concurrency: number,
  seconds: number,
): Promise<LoadResult> {
  const script = new URL("./verify.lua", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command("wrk", {
    args: ["-t1", `-c${concurrency}`, `-d${seconds}s`, "-s", script, `http://127.0.0.1:${port}${path}`],
    env: {
      LOAD_BODY: body,
      LOAD_EXPECTED: expected,
      LOAD_HEADERS: Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join("\n"),
    },
  }).output();
  const text = new TextDecoder().decode(stdout);
  const result = /^RESULT (.*)$/m.exec(text)?.[1];
  if (result === undefined) throw new Error(`wrk failed: ${text}${new TextDecoder().decode(stderr)}`);
  return JSON.parse(result);
}

async function denoClient(request: LoadRequest, concurrency: number, seconds: number): Promise<LoadResult> {
  const { port, path, headers, body, expected } = request;
  const text = new TextEncoder();
  const content = text.encode(body);
  const lines = Object.entries({ host: "127.0.0.1", ...headers, "content-length": String(content.length) })
    .map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const bytes = new Uint8Array([...text.encode(`POST ${path} HTTP/1.1\r\n${lines}\r\n`), ...content]);
  const latencies: number[] = [];
  let errors = 0;
  const start = performance.now();
  const end = start + seconds * 1_000;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    let connection: RawConnection | undefined;
    for (let sent = performance.now(); sent < end; sent = performance.now()) {
      connection ??= await RawConnection.open(port);
      let reusable = false;
      try {
        await connection.send(bytes);
        const response = await connection.receive();
        reusable = response.reusable;
        if (response.status !== 200 || !new TextDecoder().decode(response.body).includes(expected)) errors++;
      } catch (error) {
        if (!(error instanceof PeerClosed || error instanceof Deno.errors.ConnectionReset)) throw error;
        errors++;
      }
      latencies.push(performance.now() - sent);
      if (reusable) continue;
      connection.close();
      connection = undefined;
    }
    connection?.close();
  }));
  latencies.sort((a, b) => a - b);
  const percentile = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  return {
    requests: latencies.length,
    seconds: (performance.now() - start) / 1_000,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    errors,
  };
}
