// The gateway as a client is told of it.

/** What a client needs to reach the gateway. */
export interface Connection {
  /** The name of the entry. */
  readonly name: string;
  /** The endpoint of streamable HTTP. */
  readonly url: string;
  /** The gateway's own address, and the virtual server; null: everything. */
  readonly gatewayUrl: string;
  readonly server: string | null;
  /** null: the gateway takes none. */
  readonly token: string | null;
  /** The command line of this program, with absolute paths: desktop clients have another PATH and folder. */
  readonly program: readonly string[];
}
