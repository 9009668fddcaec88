// The events of the open streams of one session, so that a client may resume one by Last-Event-ID.
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

/** More than any scenario has in a session; the oldest go first. */
const MAX_EVENTS = 1000;

interface StoredEvent {
  readonly id: string;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
}

export class MemoryEventStore implements EventStore {
  readonly #events: StoredEvent[] = [];
  #count = 0;

  storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const id = `${streamId}.${this.#count++}`;
    this.#events.push({ id, streamId, message });
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
    return Promise.resolve(id);
  }

  getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return Promise.resolve(this.#events.find(({ id }) => id === eventId)?.streamId);
  }

  /** @throws {Error} where the event is unknown */
  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const index = this.#events.findIndex(({ id }) => id === lastEventId);
    if (index < 0) throw new Error(`No event ${lastEventId}`);
    const { streamId } = this.#events[index]!;
    for (const event of this.#events.slice(index + 1)) {
      // A priming event is stored as an empty message; it carries nothing to replay.
      if (event.streamId === streamId && "jsonrpc" in event.message) await send(event.id, event.message);
    }
    return streamId;
  }
}
