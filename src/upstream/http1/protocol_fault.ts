// Room `http1`: HTTP/1.1 as bytes, without connections. It writes requests, and reads responses strictly. `dial` and `http_client` use it.
// This file is the error of its parsers, which know the fault and not the peer.

/** A violation of HTTP/1.1. The message can follow "broke the protocol: ". */
export class ProtocolFault extends Error {
  override name = "ProtocolFault";
}
