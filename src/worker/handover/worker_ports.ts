// Carries requests to the other workers of the process and replies back, over a MessagePort to each.
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import { NumberedTable } from "../../base/numbered_table.ts";
import {
  decodeEnd,
  decodeReply,
  type EncodedReply,
  encodeEnd,
  encodeFailure,
  encodeRequest,
  serveEncoded,
} from "../../cluster/envelope.ts";
import { BoundedBody } from "../../downstream/exchange/bounded_body.ts";
import type { McpReply, McpRequest, Serve } from "../../downstream/exchange/mcp_exchange.ts";

/**
 * A message on a port: a letter, the id that the asking side gave the request, a line feed, and what belongs to it. One text costs a
 * third less than a clone of an object. Chunks of a stream are the exception: they are bytes.
 */
const LETTERS = {
  /** An encoded request. */
  request: "Q",
  /** The asking side has lost interest: its client is gone, or does not read the stream. */
  cancel: "C",
  /** A reply's head; a text body follows in the next line. */
  reply: "R",
  /** The head of a reply whose body is a stream. */
  stream: "S",
  /** The end of the stream. */
  end: "E",
  /** The stream has broken off: a failure's head. */
  broken: "B",
} as const;

type Letter = typeof LETTERS[keyof typeof LETTERS];

interface Chunk {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** A request that waits for its reply, or whose stream is open. */
interface Pending {
  readonly request: McpRequest;
  readonly resolve: (reply: McpReply) => void;
  readonly reject: (error: unknown) => void;
  stream: BoundedBody | null;
}

/** A request of a peer that this worker serves. */
class Served extends Cancellation implements Linked<Served> {
  readonly id: number;
  previous: Served | undefined = undefined;
  next: Served | undefined = undefined;

  constructor(id: number) {
    super();
    this.id = id;
  }
}

interface Peer {
  readonly port: MessagePort;
  readonly pending: NumberedTable<Pending>;
  readonly serving: LinkedList<Served>;
}

export class WorkerPorts {
  readonly #serve: Serve;
  readonly #memory: ClientMemory;
  readonly #peers = new Map<number, Peer>();
  /** Workers that were replaced and still finish what they have begun, the oldest first. */
  readonly #former = new Map<number, Peer[]>();

  /** @param serve serves the requests of other workers */
  constructor(serve: Serve, memory: ClientMemory) {
    this.#serve = serve;
    this.#memory = memory;
  }

  /** Adds a worker, or the successor of one: the former still answers the requests that it has. */
  connect(worker: number, port: MessagePort): void {
    const former = this.#peers.get(worker);
    if (former !== undefined) this.#former.set(worker, [...(this.#former.get(worker) ?? []), former]);
    const peer: Peer = { port, pending: new NumberedTable(), serving: new LinkedList() };
    this.#peers.set(worker, peer);
    port.onmessage = ({ data }: MessageEvent<string | Chunk>) => this.#receive(peer, data);
    port.start();
  }

  /** The worker is gone: requests to it fail with WORKER_GONE at once. */
  disconnect(worker: number): void {
    const peer = this.#peers.get(worker);
    if (peer === undefined) return;
    this.#peers.delete(worker);
    abandon(peer);
  }

  /** A worker that had a successor is gone. */
  disconnectFormer(worker: number): void {
    const [oldest, ...rest] = this.#former.get(worker) ?? [];
    // The successor itself knows its predecessor as the only worker under that number.
    if (oldest === undefined) return this.disconnect(worker);
    abandon(oldest);
    if (rest.length === 0) this.#former.delete(worker);
    else this.#former.set(worker, rest);
  }

  /** This worker serves a request of another one. */
  get isServing(): boolean {
    const peers = [...this.#peers.values(), ...[...this.#former.values()].flat()];
    return peers.some(({ serving }) => serving.length > 0);
  }

  knows(worker: number): boolean {
    return this.#peers.has(worker);
  }

  /** @throws {SluiceError} WORKER_GONE, and what the owner threw */
  forward(worker: number, request: McpRequest, signal: CancelSignal): Promise<McpReply> {
    const peer = this.#peers.get(worker);
    if (peer === undefined) return Promise.reject(new SluiceError("WORKER_GONE"));
    if (signal.aborted) return Promise.reject(new SluiceError("REQUEST_CANCELLED"));
    return new Promise((resolve, reject) => {
      const onAbort = () => post(peer, LETTERS.cancel, id);
      signal.addEventListener("abort", onAbort, { once: true });
      const settled = () => signal.removeEventListener("abort", onAbort);
      const id = peer.pending.add({
        request,
        resolve: (reply) => (settled(), resolve(reply)),
        reject: (error) => (settled(), reject(error)),
        stream: null,
      });
      post(peer, LETTERS.request, id, encodeRequest(request));
    });
  }

  #receive(peer: Peer, data: string | Chunk): void {
    if (typeof data !== "string") return this.#push(peer, data);
    const end = data.indexOf("\n");
    const letter = data[0] as Letter;
    const id = Number(data.slice(1, end));
    const text = data.slice(end + 1);
    if (letter === LETTERS.request) return void this.#serveFor(peer, id, text);
    if (letter === LETTERS.cancel) return cancel(peer, id);
    const pending = peer.pending.get(id);
    if (pending === undefined) return;
    if (letter !== LETTERS.stream) peer.pending.delete(id);
    if (letter === LETTERS.end) {
      decodeEnd(text, pending.request);
      return pending.stream?.close();
    }
    try {
      const lineEnd = text.indexOf("\n");
      const { body, ...reply } = decodeReply(lineEnd < 0 ? text : text.slice(0, lineEnd), pending.request);
      if (body === "stream") pending.resolve({ ...reply, body: this.#openStream(peer, id, pending) });
      else pending.resolve({ ...reply, body: body === "none" ? null : text.slice(lineEnd + 1) });
    } catch (error) {
      // After the reply has begun, a failure can only break the stream off.
      if (pending.stream === null) pending.reject(error);
      else pending.stream.fail(error);
    }
  }

  #openStream(peer: Peer, id: number, pending: Pending): ReadableStream<Uint8Array> {
    const stream = new BoundedBody(this.#memory.hold(pending.request.principal), () => {
      // The owner has not ended the stream: the client has left, or does not read.
      if (peer.pending.delete(id)) post(peer, LETTERS.cancel, id);
    });
    pending.stream = stream;
    return stream.readable;
  }

  #push(peer: Peer, { id, bytes }: Chunk): void {
    peer.pending.get(id)?.stream?.write(bytes);
  }

  async #serveFor(peer: Peer, id: number, text: string): Promise<void> {
    const clientGone = new Served(id);
    peer.serving.push(clientGone);
    const { head, body, note } = await serveEncoded(text, this.#serve, clientGone);
    // A client that leaves from now on leaves the stream, not the call: it may come back for the rest.
    peer.serving.remove(clientGone);
    if (body instanceof ReadableStream) await this.#pass(peer, id, { head, body, note });
    else post(peer, LETTERS.reply, id, body === null ? head : `${head}\n${body}`);
  }

  async #pass(
    peer: Peer,
    id: number,
    { head, body, note }: EncodedReply & { readonly body: ReadableStream<Uint8Array> },
  ): Promise<void> {
    const cancelled = new Served(id);
    peer.serving.push(cancelled);
    post(peer, LETTERS.stream, id, head);
    try {
      for await (const bytes of cancellable(body, cancelled)) peer.port.postMessage({ id, bytes });
      post(peer, LETTERS.end, id, encodeEnd(note));
    } catch (error) {
      post(peer, LETTERS.broken, id, encodeFailure(error, note));
    } finally {
      peer.serving.remove(cancelled);
    }
  }
}

function cancel({ serving }: Peer, id: number): void {
  for (const served of serving) {
    if (served.id === id) return served.cancel(new SluiceError("REQUEST_CANCELLED"));
  }
}

function post({ port }: Peer, letter: Letter, id: number, text = ""): void {
  port.postMessage(`${letter}${id}\n${text}`);
}

function abandon({ port, pending, serving }: Peer): void {
  port.close();
  for (const { reject, stream } of pending.members()) {
    if (stream === null) reject(new SluiceError("WORKER_GONE"));
    else stream.close();
  }
  for (const call of [...serving]) call.cancel(new SluiceError("REQUEST_CANCELLED"));
}

/** A stream's chunks until it ends. Cancels the stream when the signal is aborted. */
async function* cancellable(
  stream: ReadableStream<Uint8Array>,
  signal: CancelSignal,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const stop = () => reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
