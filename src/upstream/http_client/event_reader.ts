// Reads server-sent events of an upstream. The part of an event that has arrived counts as memory of the caller.
import { Arrival, UNCOUNTED_BYTES } from "../../base/arrival.ts";
import { SluiceError } from "../../base/errors.ts";
import type { MemoryOwner } from "../../base/sharing/client_memory.ts";
import { LARGE_BYTES, loopTurns } from "../../base/sharing/loop_turns.ts";
import { SseDecoder, type SseEvent } from "../../mcp/sse.ts";

export interface EventReaderOptions {
  readonly upstream: string;
  /** Longest event, characters. */
  readonly maxResponseBytes: number;
  /** The caller that a large event counts for, and whose turn it has to be before it is parsed; undefined: nobody in particular. */
  readonly caller: MemoryOwner | undefined;
}

export class EventReader {
  readonly #decoder: SseDecoder;
  readonly #options: EventReaderOptions;
  #arrival: Arrival | undefined;

  constructor(options: EventReaderOptions) {
    this.#decoder = new SseDecoder(options.maxResponseBytes);
    this.#options = options;
  }

  get retryMs(): number | null {
    return this.#decoder.retryMs;
  }

  get lastEventId(): string | null {
    return this.#decoder.lastEventId;
  }

  /** @returns the events that are whole now. @throws {SluiceError} UPSTREAM_RESPONSE_TOO_LARGE, CLIENT_MEMORY_FULL */
  push(chunk: Uint8Array): SseEvent[] {
    const { upstream, maxResponseBytes: limit, caller } = this.#options;
    let events: SseEvent[];
    try {
      events = this.#decoder.push(chunk);
    } catch (cause) {
      throw new SluiceError("UPSTREAM_RESPONSE_TOO_LARGE", { upstream, limit }, { cause });
    }
    const { keptChars } = this.#decoder;
    if (keptChars > UNCOUNTED_BYTES) this.#arrival ??= new Arrival(caller);
    this.#arrival?.keeps(keptChars);
    return events;
  }

  /** Resolves when a large event may be parsed, and counts it until then; undefined: the event is small. Rejects with CLIENT_MEMORY_FULL. */
  turnFor({ data }: SseEvent): Promise<void> | undefined {
    return data.length > LARGE_BYTES ? this.#turnFor(data.length) : undefined;
  }

  async #turnFor(chars: number): Promise<void> {
    const { caller } = this.#options;
    const arrival = this.#arrival ??= new Arrival(caller);
    arrival.keeps(this.#decoder.keptChars + chars);
    await loopTurns.next(caller ?? this);
    arrival.keeps(this.#decoder.keptChars);
  }

  /** Nothing of the stream is kept any more. */
  end(): void {
    this.#arrival?.end();
  }
}
