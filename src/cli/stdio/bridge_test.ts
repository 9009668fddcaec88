import { assertEquals } from "@std/assert";
import { connectFault } from "./bridge.ts";

Deno.test("connectFault() says why the gateway cannot be reached, and what to do", () => {
  const rows: [words: string, hasToken: boolean, start: string][] = [
    ["tcp connect error", true, "nothing listens there. Start the gateway"],
    ["dns error", true, "the host name cannot be resolved. Correct --url"],
    ["Invalid status code: 401", false, "the gateway needs a token. Name a file"],
    ["Invalid status code: 401", true, "the gateway does not accept the token. Put a valid token"],
    ["Invalid status code: 403", true, "the token does not open this server."],
    ["Invalid status code: 404", true, "the gateway has no such address. Correct --url and --server"],
    ["Invalid status code: 503", true, "the gateway is at capacity. Try again later"],
    [
      "received corrupt message of type InvalidContentType",
      true,
      "the gateway does not serve HTTPS. Use http://",
    ],
    [
      "invalid peer certificate: UnknownIssuer",
      true,
      "invalid peer certificate: UnknownIssuer. Name the file",
    ],
    ["connection closed before message completed", true, "connection closed before message completed"],
  ];
  for (const [words, hasToken, start] of rows) {
    const fault = connectFault(`NetworkError: failed to connect to WebSocket: ${words}`, hasToken);
    assertEquals([fault, fault.startsWith(start)], [fault, true]);
  }
});
