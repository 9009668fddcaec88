// A channel to a child process: one JSON text per line on its standard input and output (MCP transports, "stdio").
import { type Clock, within } from "../../base/clock.ts";
import { Arrival } from "../../base/arrival.ts";
import { SluiceError } from "../../base/errors.ts";
import type { MemoryOwner } from "../../base/sharing/client_memory.ts";
import { LARGE_BYTES, loopTurns } from "../../base/sharing/loop_turns.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Channel, Receiver } from "../duplex/duplex_channel.ts";
import { edgesOf } from "../duplex/overlong_response.ts";
import { type Line, LineReader } from "./line_reader.ts";
import { endGroup, signalGroup } from "./process_group.ts";
import { StderrLog } from "./stderr_log.ts";

/** Limit of unread input. A process with more does not read at all. */
const MAX_UNSENT_CHARS = 16 * 1024 * 1024;

/** Time between the end of a process and the end of its pipes, in either order, ms. */
const LAST_WORDS_MS = 500;

export interface StdioChannelOptions {
  readonly upstream: string;
  readonly maxLineBytes: number;
  /** For whom a line counts while it arrives, and whose turn it has to be before a large one is parsed; undefined: nobody. */
  readonly owner: MemoryOwner | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes secrets out of what the process has written. */
  readonly withoutSecrets: (words: string) => string;
}

export class StdioChannel implements Channel {
  /** Resolves when the process, its group and its pipes are gone. */
  readonly ended: Promise<void>;
  readonly #child: Deno.ChildProcess;
  readonly #receiver: Receiver;
  readonly #options: StdioChannelOptions;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  readonly #log: Log;
  readonly #stderr: StderrLog;
  #unsentChars = 0;
  #ending: Promise<void> | undefined;
  /** It closed a pipe before the gateway began to end it. */
  #hasLeft = false;

  constructor(child: Deno.ChildProcess, receiver: Receiver, options: StdioChannelOptions) {
    this.#child = child;
    this.#receiver = receiver;
    this.#options = options;
    this.#log = options.log.with({ upstream: options.upstream, pid: child.pid });
    this.#stderr = new StderrLog(this.#log, options.clock);
    this.#input = child.stdin.getWriter();
    this.ended = this.#supervise();
  }

  get lastWords(): string {
    return this.withoutSecrets(this.#stderr.lastWords);
  }

  withoutSecrets(text: string): string {
    return this.#options.withoutSecrets(text);
  }

  async send(text: string): Promise<void> {
    const { upstream } = this.#options;
    // Line breaks between JSON tokens become spaces. Line breaks within strings are always escaped.
    const line = `${/[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, " ") : text}\n`;
    if (this.#unsentChars + line.length > MAX_UNSENT_CHARS) {
      this.#receiver.ended("the process does not read its input");
      throw new SluiceError("UPSTREAM_CLOSED", { upstream, sent: 0 });
    }
    this.#unsentChars += line.length;
    try {
      await this.#input.write(this.#encoder.encode(line));
    } catch (cause) {
      await this.#lostPipe("the process closed its input");
      throw new SluiceError("UPSTREAM_CLOSED", { upstream, sent: 1 }, { cause });
    } finally {
      this.#unsentChars -= line.length;
    }
  }

  close(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    // The specification's order (lifecycle, "Shutdown"): close the input, then send signals.
    void this.#input.close().catch(() => {});
    await endGroup(this.#child, this.#options.clock);
    await this.ended;
  }

  async #supervise(): Promise<void> {
    const { maxLineBytes, owner, clock } = this.#options;
    const { pid, stdout, stderr, status } = this.#child;
    const lines = new LineReader({
      maxBytes: maxLineBytes,
      arrival: new Arrival(owner),
    });
    const messages = follow(stdout, {
      push: (chunk) => this.#receive(lines.push(chunk)),
      end: () => this.#receive(lines.end()),
    });
    const errors = follow(stderr, this.#stderr);
    void messages.done.then(() => this.#lostPipe("the process closed its output"));
    const { code, signal } = await status;
    // Other processes of the group may hold the pipes open.
    signalGroup(pid, "SIGKILL");
    await within(clock, LAST_WORDS_MS, Promise.all([messages.done, errors.done]));
    await Promise.all([messages.stop(), errors.stop()]);
    await this.#input.abort().catch(() => {});
    const how = signal === null ? `exit code ${code}` : signal;
    const endedByItself = this.#ending === undefined || (this.#hasLeft && signal === null);
    if (endedByItself) this.#tellEnd(how, code === 0);
    this.#receiver.ended(`the process ended (${how}); its stderr is in the log`);
  }

  /** @returns undefined: all lines were received */
  #receive(lines: readonly Line[]): Promise<void> | undefined {
    if (lines.some(isLarge)) return this.#receiveInTurns(lines);
    for (const line of lines) this.#take(line);
  }

  async #receiveInTurns(lines: readonly Line[]): Promise<void> {
    for (const line of lines) {
      if (isLarge(line)) await this.#takeInTurn(line);
      else this.#take(line);
    }
  }

  /** Receives a large line when it is its owner's turn. Meanwhile the line counts, and no more is read. */
  async #takeInTurn(line: Uint8Array): Promise<void> {
    const { owner } = this.#options;
    const waiting = new Arrival(owner);
    try {
      waiting.keeps(line.length);
    } catch (error) {
      return this.#receiver.lost(edgesOf(this.#decoder.decode(line)), error as SluiceError);
    }
    await loopTurns.next(owner ?? this);
    waiting.end();
    this.#take(line);
  }

  #take(line: Line): void {
    if (line instanceof Uint8Array) this.#receiver.receive(this.#decoder.decode(line));
    else this.#receiver.lost(line.edges, line.why);
  }

  #tellEnd(how: string, isOrderly: boolean): void {
    const event = "upstream process ended by itself";
    const words = this.lastWords;
    const fields = words === "" ? { how } : { how, stderr: words };
    if (isOrderly) this.#log.warning(event, fields);
    else this.#log.error(event, fields);
  }

  /** Ends a process that has lost a pipe. If the process has just ended, its exit code is the better reason. */
  async #lostPipe(reason: string): Promise<void> {
    this.#hasLeft ||= this.#ending === undefined;
    const hasEnded = await within(this.#options.clock, LAST_WORDS_MS, this.#child.status);
    if (hasEnded) await this.ended;
    else this.#receiver.ended(reason);
  }
}

function isLarge(line: Line): line is Uint8Array {
  return line instanceof Uint8Array && line.length > LARGE_BYTES;
}

interface Sink {
  /** @returns a promise if the next chunk has to wait */
  push(chunk: Uint8Array): Promise<void> | void;
  end(): Promise<void> | void;
}

function follow(stream: ReadableStream<Uint8Array>, sink: Sink) {
  const reader = stream.getReader();
  const read = async () => {
    try {
      for (let { value } = await reader.read(); value !== undefined; { value } = await reader.read()) {
        const pushed = sink.push(value);
        if (pushed !== undefined) await pushed;
      }
    } catch {
      // A broken pipe ends the stream.
    }
    await sink.end();
  };
  return { done: read(), stop: () => reader.cancel().catch(() => {}) };
}
