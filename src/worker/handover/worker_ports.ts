// Hands a request to the worker that owns its session, and brings the reply back, over a MessagePort.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import type { CallNote } from "../../telemetry/call_note.ts";
import type { McpReply, McpRequest } from "../../downstream/exchange/mcp_exchange.ts";
import {
  fromWire,
  fromWireError,
  toWire,
  toWireError,
  type WireError,
  type WireRequest,
} from "../../cluster/wire_request.ts";

type PortMessage =
  | { readonly kind: "request"; readonly id: number; readonly request: WireRequest }
  /** The asking side has lost interest: the client is gone, or does not read the stream. */
  | { readonly kind: "cancel"; readonly id: number }
  | {
    readonly kind: "reply";
    readonly id: number;
    readonly reply: McpReply & { readonly body: string | null };
    readonly note: CallNote | undefined;
  }
  | {
    readonly kind: "stream";
    readonly id: number;
    readonly head: Omit<McpReply, "body">;
    readonly note: CallNote | undefined;
  }
  | { readonly kind: "chunk"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "end"; readonly id: number; readonly note: CallNote | undefined }
  | {
    readonly kind: "error";
    readonly id: number;
    readonly error: WireError;
    readonly note: CallNote | undefined;
  };

/** A request that waits for its reply, or whose stream is open. */
interface Pending {
  readonly resolve: (reply: McpReply) => void;
  readonly reject: (error: unknown) => void;
  /** The request's own: takes what its owner has noted. */
  readonly note: CallNote | undefined;
  stream: ReadableStreamDefaultController<Uint8Array> | null;
}

interface Peer {
  readonly port: MessagePort;
  readonly pending: Map<number, Pending>;
  /** What we serve for the peer. */
  readonly serving: Map<number, Cancellation>;
}

/** More than this unread in a forwarded stream ends it. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

export class WorkerPorts {
  readonly #serve: (request: McpRequest, signal: CancelSignal) => Promise<McpReply>;
  readonly #peers = new Map<number, Peer>();
  /** Of workers that were replaced and still end what they were doing, the oldest first. */
  readonly #former = new Map<number, Peer[]>();
  #nextId = 1;

  /** @param serve serves a request for a session of this worker */
  constructor(serve: (request: McpRequest, signal: CancelSignal) => Promise<McpReply>) {
    this.#serve = serve;
  }

  /** A way to the worker, or to its successor: what the former one has been asked, it still answers. */
  connect(worker: number, port: MessagePort): void {
    const former = this.#peers.get(worker);
    if (former !== undefined) this.#former.set(worker, [...(this.#former.get(worker) ?? []), former]);
    const peer: Peer = { port, pending: new Map(), serving: new Map() };
    this.#peers.set(worker, peer);
    port.onmessage = ({ data }: MessageEvent<PortMessage | string>) => this.#receive(peer, unpacked(data));
    port.start();
  }

  /** The worker is gone: whoever waits for it hears so now. */
  disconnect(worker: number): void {
    const peer = this.#peers.get(worker);
    if (peer === undefined) return;
    this.#peers.delete(worker);
    abandon(peer);
  }

  /** A worker is gone that had a successor already. */
  disconnectFormer(worker: number): void {
    const [oldest, ...rest] = this.#former.get(worker) ?? [];
    // Its successor knows no other under that number.
    if (oldest === undefined) return this.disconnect(worker);
    abandon(oldest);
    if (rest.length === 0) this.#former.delete(worker);
    else this.#former.set(worker, rest);
  }

  /** Is anything being served here that another worker was asked for? */
  get isServing(): boolean {
    const peers = [...this.#peers.values(), ...[...this.#former.values()].flat()];
    return peers.some(({ serving }) => serving.size > 0);
  }

  /** Is there a way to the worker? */
  knows(worker: number): boolean {
    return this.#peers.has(worker);
  }

  /** @throws {SluiceError} WORKER_GONE, and whatever the owner threw */
  forward(worker: number, request: McpRequest, signal: CancelSignal): Promise<McpReply> {
    const peer = this.#peers.get(worker);
    if (peer === undefined) return Promise.reject(new SluiceError("WORKER_GONE"));
    if (signal.aborted) return Promise.reject(new SluiceError("REQUEST_CANCELLED"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = () => send(peer, { kind: "cancel", id });
      signal.addEventListener("abort", onAbort, { once: true });
      const settled = () => signal.removeEventListener("abort", onAbort);
      peer.pending.set(id, {
        resolve: (reply) => (settled(), resolve(reply)),
        reject: (error) => (settled(), reject(error)),
        note: request.note,
        stream: null,
      });
      send(peer, { kind: "request", id, request: toWire(request) });
    });
  }

  #receive(peer: Peer, message: PortMessage): void {
    const { id } = message;
    if (message.kind === "request") return void this.#serveFor(peer, id, message.request);
    if (message.kind === "cancel") return peer.serving.get(id)?.cancel(new SluiceError("REQUEST_CANCELLED"));
    const pending = peer.pending.get(id);
    if (pending === undefined) return;
    if ("note" in message && pending.note !== undefined) Object.assign(pending.note, message.note);
    switch (message.kind) {
      case "reply":
        peer.pending.delete(id);
        return pending.resolve(message.reply);
      case "error":
        peer.pending.delete(id);
        return fail(pending, message);
      case "stream":
        return pending.resolve({ ...message.head, body: this.#openStream(peer, id, pending) });
      case "chunk":
        return this.#push(peer, id, pending, message.bytes);
      case "end":
        peer.pending.delete(id);
        pending.stream?.close();
    }
  }

  #openStream(peer: Peer, id: number, pending: Pending): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        pending.stream = controller;
      },
      cancel: () => this.#abandon(peer, id),
    }, { highWaterMark: MAX_UNREAD_BYTES, size: (chunk) => chunk!.length });
  }

  #push(peer: Peer, id: number, { stream }: Pending, bytes: Uint8Array): void {
    if ((stream!.desiredSize ?? 0) > 0) return stream!.enqueue(bytes);
    stream!.error(new Error("the client does not read"));
    this.#abandon(peer, id);
  }

  #abandon(peer: Peer, id: number): void {
    peer.pending.delete(id);
    send(peer, { kind: "cancel", id });
  }

  async #serveFor(peer: Peer, id: number, request: WireRequest): Promise<void> {
    const clientGone = new Cancellation();
    const { note } = request;
    peer.serving.set(id, clientGone);
    try {
      const { body, ...head } = await this.#serve(fromWire(request), clientGone);
      if (body instanceof ReadableStream) {
        // From now on a client that leaves leaves the stream: it may come back for the rest, and the call goes on.
        const cancelled = new Cancellation();
        peer.serving.set(id, cancelled);
        send(peer, { kind: "stream", id, head, note });
        for await (const bytes of cancellable(body, cancelled)) {
          send(peer, { kind: "chunk", id, bytes });
        }
        send(peer, { kind: "end", id, note });
      } else send(peer, { kind: "reply", id, reply: { ...head, body }, note });
    } catch (error) {
      send(peer, { kind: "error", id, error: toWireError(error), note });
    } finally {
      peer.serving.delete(id);
    }
  }
}

/** Before the reply it is the answer; after that all that is left to do is to break off the stream. */
function fail({ reject, stream }: Pending, message: Extract<PortMessage, { kind: "error" }>): void {
  const error = fromWireError(message.error);
  if (stream === null) reject(error);
  else stream.error(error);
}

function abandon({ port, pending, serving }: Peer): void {
  port.close();
  for (const { reject, stream } of pending.values()) {
    if (stream === null) reject(new SluiceError("WORKER_GONE"));
    else stream.close();
  }
  for (const call of serving.values()) call.cancel(new SluiceError("REQUEST_CANCELLED"));
}

/** One text costs a third less than a clone of the object, and a body needs no escaping when it stands behind it. */
function send({ port }: Peer, message: PortMessage): void {
  if (message.kind === "chunk") port.postMessage(message);
  else if (message.kind === "request") {
    const { body, ...request } = message.request;
    port.postMessage(`${JSON.stringify({ ...message, request })}\n${body}`);
  } else if (message.kind === "reply") {
    const { body, ...reply } = message.reply;
    port.postMessage(`${JSON.stringify({ ...message, reply })}${body === null ? "" : `\n${body}`}`);
  } else port.postMessage(JSON.stringify(message));
}

function unpacked(data: PortMessage | string): PortMessage {
  if (typeof data !== "string") return data;
  const end = data.indexOf("\n");
  const message = JSON.parse(end < 0 ? data : data.slice(0, end));
  if (message.kind === "request") message.request.body = data.slice(end + 1);
  else if (message.kind === "reply") message.reply.body = end < 0 ? null : data.slice(end + 1);
  return message;
}

/** A stream's chunks until it ends, or until nobody wants them: then the stream is cancelled. */
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
