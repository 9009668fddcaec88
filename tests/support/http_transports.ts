// The transports of a worker where all upstreams are reached over streamable HTTP, by a fake client.
import type { HttpClient } from "../../src/upstream/http_client/http_client.ts";
import { HttpTransport } from "../../src/upstream/streamable_http/http_transport.ts";
import type { Transports } from "../../src/upstream/transports.ts";

export function httpTransports(client: HttpClient, maxResponseBytes: number): Pick<Transports, "make"> {
  return { make: (target) => new HttpTransport({ client, target, maxResponseBytes }) };
}
