// What a parser throws: it knows what is wrong with the bytes, not whose they are.

/** The peer broke HTTP/1.1; `message` says how, in words that may follow "broke the protocol: ". */
export class ProtocolFault extends Error {
  override name = "ProtocolFault";
}
