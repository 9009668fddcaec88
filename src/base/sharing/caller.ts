// What one caller (issuer and subject of a token) has under way in a worker. Whoever shares something out between callers counts here.

/** Who a caller is. Callers without a token share one identity. */
export interface CallerIdentity {
  readonly issuer: string | null;
  readonly subject: string;
}

/** The caller as a key of maps. Subjects are unique only within an issuer. */
export function callerKey({ issuer, subject }: CallerIdentity): string {
  return `${issuer ?? ""}\n${subject}`;
}

export interface Caller extends ConnectionHolder {
  /** Requests and messages of batches. */
  calls: number;
  /** Responses that stay open. */
  streams: number;
  /** Calls that go on without a request: they wait for their client's input, or their client lost the stream. */
  pending: number;
}

/** A caller as a pool of connections sees it. */
export interface ConnectionHolder {
  /** Outbound connections that carry the caller's requests, or are being opened for them. */
  connections: number;
}
