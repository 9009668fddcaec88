// An event stream of log lines. It asks for new lines once a second, and only when the client has read the ones before: nothing
// waits in memory for a slow reader.
import { encodeSseEvent, SSE_KEEPALIVE } from "../../mcp/sse.ts";
import type { LogLines } from "../rest/deps.ts";
import type { LogQuery, LogRecord } from "../../telemetry/recent_log.ts";

const LOOK_MS = 1_000;
/** A stream without lines sends a comment, so that no proxy takes the connection for dead. */
const KEEPALIVE_LOOKS = 15;
/** The client then connects again: with another worker's share of streams, and with a token that is still valid. */
const LONGEST_MS = 120_000;
/** Lines that are sent in one look. Of more lines the newest are sent. */
const MOST_LINES = 500;

const encoder = new TextEncoder();

export class LineStream {
  readonly readable: ReadableStream<Uint8Array>;
  #after: string;
  #isOpen = true;
  #wake: () => void = () => {};
  #silentLooks = 0;
  readonly #until = performance.now() + LONGEST_MS;

  private constructor(
    private readonly lines: LogLines,
    private readonly query: LogQuery,
    after: string,
    private readonly textOf: (record: LogRecord) => string,
  ) {
    this.#after = after;
    this.readable = new ReadableStream<Uint8Array>({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.end(),
    }, { highWaterMark: 0 });
  }

  /** @param textOf the data of a line's event. Before lines that follow skipped ones, an event `skipped` has the number of those sent. */
  static async open(
    lines: LogLines,
    query: LogQuery,
    signal: AbortSignal,
    textOf: (record: LogRecord) => string,
  ): Promise<LineStream> {
    const after = query.after ?? (await lines.find({ limit: 1 })).latest;
    const stream = new LineStream(lines, { ...query, limit: MOST_LINES }, after, textOf);
    lines.streams.add(stream);
    signal.addEventListener("abort", () => stream.end(), { once: true });
    return stream;
  }

  /** The client may connect again. */
  end(): void {
    this.#isOpen = false;
    this.lines.streams.delete(this);
    this.#wake();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#isOpen && performance.now() < this.#until) {
      const text = await this.#look();
      if (text !== "") {
        controller.enqueue(encoder.encode(text));
        return;
      }
      await this.#pause();
    }
    this.end();
    controller.close();
  }

  async #look(): Promise<string> {
    const { records, latest, isCut } = await this.lines.find({ ...this.query, after: this.#after });
    this.#after = latest;
    if (records.length === 0) return ++this.#silentLooks % KEEPALIVE_LOOKS === 1 ? SSE_KEEPALIVE : "";
    this.#silentLooks = 1;
    const skipped = isCut ? encodeSseEvent(`${MOST_LINES}`, { event: "skipped" }) : "";
    return skipped +
      records.toReversed().map((record) => encodeSseEvent(this.textOf(record), { id: record.id })).join("");
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
