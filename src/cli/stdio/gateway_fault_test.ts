import { assertEquals } from "@std/assert";
import { connectFault, isUnsent, Refusal, refusalIn, remedyFor } from "./gateway_fault.ts";

const ORIGIN = "http://gateway.example";

Deno.test("connectFault() says why the gateway cannot be reached, and what to do", () => {
  const rows: [words: string, start: string][] = [
    ["tcp connect error: Connection refused (os error 111)", "nothing listens there. Start the gateway"],
    ["dns error: failed to lookup", "the host name cannot be resolved. Correct --url"],
    ["received corrupt message of type InvalidContentType", "the gateway does not serve HTTPS. Use http://"],
    ["invalid peer certificate: UnknownIssuer", "invalid peer certificate: UnknownIssuer. Name the file"],
    ["connection closed before message completed", "connection closed before message completed"],
  ];
  for (const [words, start] of rows) {
    const fault = connectFault(
      `error sending request for url (${ORIGIN}/mcp): client error (Connect): ${words}`,
    );
    assertEquals([fault, fault.startsWith(start)], [fault, true]);
  }
});

Deno.test("isUnsent() knows a request that may be sent again, whichever Deno says so", () => {
  const words = (phase: string) =>
    `error sending request for url (x): client error (${phase}): tcp connect error`;
  assertEquals(isUnsent(new TypeError(words("Connect"))), true);
  assertEquals(isUnsent(new TypeError("fetch failed", { cause: new Error(words("Connect")) })), true);
  assertEquals(isUnsent(new TypeError("fetch failed", { cause: new Error(words("SendRequest")) })), false);
});

Deno.test("refusalIn() keeps the gateway's error as it is, and shows the words of any other response", async () => {
  const error = '{"code": -31401, "message": "Authentication required: x","data":{"code":"UNAUTHENTICATED"}}';
  const own = await refusalIn(
    new Response(`{"jsonrpc":"2.0","id":null,"error":${error}}`, { status: 401 }),
    ORIGIN,
  );
  assertEquals([own.status, own.errorText, own.message, own.code], [
    401,
    error,
    "Authentication required: x",
    "UNAUTHENTICATED",
  ]);
  const foreign = await refusalIn(
    new Response("<html><h1>Bad\n gateway</h1></html>", { status: 502 }),
    ORIGIN,
  );
  assertEquals(foreign.message, `Cannot use the gateway at ${ORIGIN}: it answered HTTP 502: Bad gateway`);
  assertEquals([foreign.code, JSON.parse(foreign.errorText).code], ["GATEWAY_UNREACHABLE", -31548]);
});

Deno.test("remedyFor() says what the operator can do", () => {
  const remedy = (status: number, from: "file" | "variable" | "none" = "file") =>
    remedyFor(new Refusal(status, "{}", ""), from);
  assertEquals([remedy(404), remedy(403), remedy(503)], [
    "Correct --url and --server",
    "Use a token without that limit",
    null,
  ]);
  assertEquals(
    (["file", "variable", "none"] as const).map((from) =>
      /--token-file|SLUICE_TOKEN/.exec(remedy(401, from)!)![0]
    ),
    [
      "--token-file",
      "SLUICE_TOKEN",
      "--token-file",
    ],
  );
});
