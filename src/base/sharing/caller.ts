// What one caller (issuer and subject of a token) has under way in a worker. Whoever shares something out between callers counts here.
import type { MemoryOwner } from "./client_memory.ts";

export interface Caller extends ConnectionHolder {
  /** Requests and messages of batches. */
  calls: number;
  /** Responses that stay open. */
  streams: number;
  /** Calls that go on without a request: they wait for their client's input, or their client lost the stream. */
  pending: number;
}

/** A caller as the connections to upstreams see it. */
export interface ConnectionHolder extends MemoryOwner {
  /** Outbound connections that carry the caller's requests, or are being opened for them. */
  connections: number;
  /** Outbound connections that stay open for the caller's upstream sessions: event streams and WebSockets. */
  upstreamStreams: number;
}
