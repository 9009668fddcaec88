// `sluice tune --probe`: measures what a call costs on this machine. A gateway and a demo upstream run for it on free ports of
// 127.0.0.1, in a temporary folder, with a hundred clients that each call now and then.
import { SluiceError } from "../../base/errors.ts";
import { findFreePort } from "../../supervisor/kernel/free_port.ts";
import { readSystemFile } from "../../supervisor/kernel/libc.ts";
import { programWords } from "../command_line/program_name.ts";

export interface Probed {
  /** Processor time of a call in the gateway, whole process, in microseconds. */
  readonly callMicros: number;
  readonly calls: number;
  /** Processor time of the gateway in the mean, as a share of one processor. */
  readonly processorShare: number;
  /** Memory of the gateway after the calls, MiB. */
  readonly memoryMb: number;
}

export interface ProbeOptions {
  /** The command line of this program. */
  readonly program?: readonly string[];
  /** Time until V8 has compiled the hot path. */
  readonly warmUpMs?: number;
  readonly measuredMs?: number;
}

/** As many clients as keep a thread asleep between two calls, which costs more than a steady stream of them. */
const [CLIENTS, PAUSE_MS] = [100, 200];
const START_WITHIN_MS = 60_000;
/** The kernel counts processor time in hundredths of a second. */
const TICK_MICROS = 10_000;
const HOST = "127.0.0.1";

/** @throws {SluiceError} PROBE_FAILED, also where the system does not tell the time of a process */
export async function probeMachine(
  { program = programWords(), warmUpMs = 2_500, measuredMs = 7_500 }: ProbeOptions = {},
): Promise<Probed> {
  if (usageOf("self") === null) throw failed("only Linux tells the processor time of a process");
  const folder = await Deno.makeTempDir({ prefix: "sluice_probe_" });
  const [port, upstreamPort] = [findFreePort(HOST, 0), findFreePort(HOST, 0)];
  const start = (args: readonly string[]) => startProgram([...program, ...args], folder, port);
  const children: Deno.ChildProcess[] = [];
  try {
    children.push(start(["demo", "--port", String(upstreamPort)]), start(["serve"]));
    const [, gateway] = children;
    await untilReady(`http://${HOST}:${port}/ready`, gateway!);
    await untilReady(`http://${HOST}:${upstreamPort}/`, children[0]!);
    const token = await tokenOf(start(["token", "--admin"]));
    await register(port, upstreamPort, token);
    return await measure({ port, token, pid: gateway!.pid, warmUpMs, measuredMs });
  } finally {
    await Promise.all(children.map(async (child) => {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended by itself.
      }
      await child.output();
    }));
    await Deno.remove(folder, { recursive: true });
  }
}

function startProgram([program, ...args]: readonly string[], cwd: string, port: number): Deno.ChildProcess {
  try {
    return new Deno.Command(program!, {
      args,
      cwd,
      // Settings of the caller's environment would be those of another gateway.
      clearEnv: true,
      env: {
        ...inherited("PATH", "HOME", "DENO_DIR", "TMPDIR"),
        HOST,
        PORT: String(port),
        SSRF_ALLOW_LOCALHOST: "true",
        LOG_LEVEL: "ERROR",
        NO_COLOR: "1",
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw failed("this program may not start programs");
    throw error;
  }
}

function inherited(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

async function untilReady(url: string, child: Deno.ChildProcess): Promise<void> {
  let isOver = false;
  void child.status.then(() => isOver = true);
  const until = Date.now() + START_WITHIN_MS;
  while (Date.now() < until && !isOver) {
    const status = await fetch(url).then(async (response) => {
      await response.body?.cancel();
      return response.status;
    }, () => 0);
    // The demo upstream knows no such address, and answers.
    if (status !== 0 && status !== 503) return;
    await sleep(50);
  }
  throw failed(isOver ? "the gateway for it ended at its start" : "the gateway for it did not start in time");
}

async function tokenOf(child: Deno.ChildProcess): Promise<string> {
  const { code, stdout } = await child.output();
  const token = new TextDecoder().decode(stdout).trim();
  if (code !== 0 || token === "") throw failed("no token could be made for it");
  return token;
}

async function register(port: number, upstreamPort: number, token: string): Promise<void> {
  const response = await fetch(`http://${HOST}:${port}/gateways`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "demo", url: `http://${HOST}:${upstreamPort}/mcp` }),
  });
  if (!response.ok) throw failed(`the demo upstream was not registered: ${await response.text()}`);
  await response.body?.cancel();
}

async function measure({ port, token, pid, warmUpMs, measuredMs }: {
  readonly port: number;
  readonly token: string;
  readonly pid: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}): Promise<Probed> {
  const request = {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "demo-echo", arguments: { message: "hi" } },
    }),
  };
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: CLIENTS });
  let calls = 0;
  const end = Date.now() + warmUpMs + measuredMs;
  const walk = async () => {
    while (Date.now() < end) {
      await sleep(Math.random() * 2 * PAUSE_MS);
      const response = await fetch(`http://${HOST}:${port}/rpc`, { ...request, client });
      const text = await response.text();
      if (!response.ok || text.includes('"error"')) {
        throw failed(`a call was answered ${response.status}: ${text}`);
      }
      calls++;
    }
  };
  try {
    const walks = Promise.all(Array.from({ length: CLIENTS }, walk));
    await Promise.race([walks, sleep(warmUpMs)]);
    const [before, callsBefore, from] = [usageOf(pid)!, calls, performance.now()];
    await walks;
    const micros = usageOf(pid)!.micros - before.micros;
    const made = calls - callsBefore;
    return {
      callMicros: Math.max(1, Math.round(micros / made)),
      calls: made,
      processorShare: micros / 1000 / (performance.now() - from),
      memoryMb: usageOf(pid)!.memoryMb,
    };
  } finally {
    client.close();
  }
}

/** null: the system does not tell. */
function usageOf(pid: number | "self"): { readonly micros: number; readonly memoryMb: number } | null {
  const stat = readSystemFile(`/proc/${pid}/stat`);
  const status = readSystemFile(`/proc/${pid}/status`);
  if (stat === null || status === null) return null;
  // The second field, a name in brackets, may have blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return {
    micros: (Number(fields[11]) + Number(fields[12])) * TICK_MICROS,
    memoryMb: Math.round(Number(kibibytes ?? 0) / 1024),
  };
}

function failed(reason: string): SluiceError {
  return new SluiceError("PROBE_FAILED", { reason });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
