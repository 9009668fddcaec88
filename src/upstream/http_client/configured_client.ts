// Creates the HTTP client with the limits of the settings.
import type { Config } from "../../config/schema.ts";
import { Http1Client, type Http1ClientOptions } from "./http1_client.ts";

/** @param own the options that differ between uses */
export function createHttp1Client(
  config: Config,
  own: Pick<
    Http1ClientOptions,
    "maxHeadBytes" | "checkAddress" | "alpnProtocols" | "proxies" | "streamPlaces" | "onWaited"
  >,
): Http1Client {
  return new Http1Client({
    maxConnections: config.httpClientMaxConnections,
    maxKeepaliveConnections: config.httpClientMaxKeepaliveConnections,
    keepaliveExpiryMs: config.httpClientKeepaliveExpiryMs,
    connectTimeoutMs: config.httpClientConnectTimeoutMs,
    readTimeoutMs: config.httpClientReadTimeoutMs,
    writeTimeoutMs: config.httpClientWriteTimeoutMs,
    poolTimeoutMs: config.httpClientPoolTimeoutMs,
    ...own,
  });
}
