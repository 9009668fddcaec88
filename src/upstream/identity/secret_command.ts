// Secrets that SECRET_COMMAND prints: the operator's way to a secret store.
import type { Clock } from "../../base/clock.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { reasonOf } from "../../base/errors.ts";
import { MAX_SECRET_BYTES, SecretFault, textOf, tooLong } from "./secret_files.ts";

export interface SecretCommandOptions {
  /** SECRET_COMMAND: the path of the program. */
  readonly program: string;
  /** SECRET_COMMAND_TIMEOUT */
  readonly timeoutMs: number;
  /** SECRET_COMMAND_TTL */
  readonly ttlMs: number;
  readonly environment: () => Promise<Readonly<Record<string, string>>>;
  readonly clock: Clock;
}

const MAX_NAMES = 1_000;

/** Programs that run at the same time. */
const MAX_RUNS = 4;

/** Characters from the end of stderr that a fault shows. */
const SHOWN_CHARS = 300;

export class SecretCommand {
  readonly #options: SecretCommandOptions;
  readonly #known = new BoundedMap<string, { readonly text: string; readonly until: number }>({
    maxEntries: MAX_NAMES,
  });
  readonly #running = new Map<string, Promise<string>>();
  #free = MAX_RUNS;
  readonly #waiting: (() => void)[] = [];

  constructor(options: SecretCommandOptions) {
    this.#options = options;
  }

  /** All who ask at the same time get the same run. @throws {SecretFault} */
  read(name: string): Promise<string> {
    const known = this.#known.get(name);
    if (known !== undefined && this.#options.clock.now() < known.until) return Promise.resolve(known.text);
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    const started: Promise<string> = this.#inTurn(() => this.#run(name)).then((text) => {
      if (this.#running.get(name) === started) {
        this.#known.set(name, { text, until: this.#options.clock.now() + this.#options.ttlMs });
      }
      return text;
    }).finally(() => {
      if (this.#running.get(name) === started) this.#running.delete(name);
    });
    this.#running.set(name, started);
    return started;
  }

  /** When a secret has to be printed again, in ms since the epoch. */
  heldUntil(name: string): number {
    const { clock, ttlMs } = this.#options;
    return this.#known.get(name)?.until ?? clock.now() + ttlMs;
  }

  /** Runs under way may have read what was there before: nobody who asks from now on gets their output. */
  forget(): void {
    this.#known.clear();
    this.#running.clear();
  }

  async #inTurn(run: () => Promise<string>): Promise<string> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async #run(name: string): Promise<string> {
    const { program, timeoutMs, environment, clock } = this.#options;
    const failed = (reason: string, stderr?: string) =>
      new SecretFault(`SECRET_COMMAND has no secret "${name}": ${reason}`, stderr);
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        args: [name],
        clearEnv: true,
        env: await environment(),
        // Children of the program end with it.
        detached: true,
        ...{ stdin: "null", stdout: "piped", stderr: "piped" },
      }).spawn();
    } catch (error) {
      throw failed(`it cannot be started (${reasonOf(error)})`);
    }
    const late = Promise.withResolvers<never>();
    const timer = clock.setTimeout(
      () => late.reject(failed(`no answer within ${timeoutMs} ms (SECRET_COMMAND_TIMEOUT)`)),
      timeoutMs,
    );
    const [out, err] = [child.stdout.getReader(), child.stderr.getReader()];
    try {
      const done = Promise.all([firstOf(out, MAX_SECRET_BYTES + 1), lastOf(err), child.status]);
      // Children of the program can hold its output open.
      const [bytes, words, { code }] = await Promise.race([done, late.promise]);
      if (bytes.length > MAX_SECRET_BYTES) throw tooLong(name);
      if (code !== 0) throw failed(`it ended with exit code ${code}`, words);
      return textOf(bytes, name);
    } finally {
      clock.clearTimeout(timer);
      killGroup(child.pid);
      for (const reader of [out, err]) void reader.cancel().catch(() => {});
    }
  }
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty.
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** The first bytes. A program that writes more gets a closed pipe. */
async function firstOf(reader: Reader, maxBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const { done, value } = await reader.read();
    if (done) break;
    const part = value.subarray(0, maxBytes - length);
    bytes.set(part, length);
    length += part.length;
  }
  if (length === maxBytes) await reader.cancel();
  return bytes.subarray(0, length);
}

async function lastOf(reader: Reader): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text.replaceAll(/\p{Cc}+/gu, " ").trim();
    text = (text + decoder.decode(value, { stream: true })).slice(-SHOWN_CHARS);
  }
}
