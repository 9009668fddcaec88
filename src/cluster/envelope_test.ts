import { assertEquals, assertThrows } from "@std/assert";
import { principal } from "../../tests/support/fakes.ts";
import { SluiceError } from "../base/errors.ts";
import type { McpReply, McpRequest, Serve } from "../downstream/exchange/mcp_exchange.ts";
import type { CallNote } from "../telemetry/call_note.ts";
import { decodeReply, encodeRequest, serveEncoded } from "./envelope.ts";

const never = new AbortController().signal;

const REQUEST: McpRequest = {
  method: "POST",
  principal: principal(),
  caller: "ann",
  serverId: "s1",
  sessionId: "s",
  headers: new Headers({ "x-tenant-id": "t1", "x-greek": "\u00e9" }),
  protocolVersion: "2025-11-25",
  acceptsStream: true,
  acceptsJson: false,
  body: '{"n":1.0,\n"text":"\u00fc"}\n',
  note: { correlationId: "c" },
};

function listOf(headers: McpRequest["headers"]): [string, string][] {
  const list: [string, string][] = [];
  headers.forEach((value, name) => list.push([name, value]));
  return list;
}

/** A request's way to `serve` and its reply's way back. */
async function cross(serve: Serve, request = REQUEST) {
  const { head, body } = await serveEncoded(encodeRequest(request), serve, never);
  assertEquals(head.includes("\n"), false, "a head is one line");
  return { head, body };
}

Deno.test("An envelope carries every member of a request, its body as it came", async () => {
  let seen: McpRequest | undefined;
  await cross((request) => (seen = request, Promise.resolve({ status: 202, headers: {}, body: null })));
  const { headers, ...rest } = seen!;
  const { headers: sentHeaders, ...sent } = REQUEST;
  assertEquals([rest, listOf(headers)], [sent, listOf(sentHeaders)]);
  assertEquals([headers.get("X-Tenant-Id"), headers.get("x-other")], ["t1", null]);
});

Deno.test("An envelope carries a reply's status and headers, and says which kind of body follows", async () => {
  const bodies = { none: null, text: "", stream: new ReadableStream<Uint8Array>() } as const;
  for (const [kind, body] of Object.entries(bodies)) {
    const reply: McpReply = { status: 201, headers: { "x-y": "z\n" }, body };
    const crossed = await cross(() => Promise.resolve(reply));
    assertEquals(crossed.body, body);
    assertEquals(decodeReply(crossed.head, REQUEST), {
      status: 201,
      headers: { "x-y": "z\n" },
      body: kind as "none",
    });
  }
});

Deno.test("decodeReply() throws what the owner threw, with the cause in words", async () => {
  const thrown = new SluiceError("UPSTREAM_CLOSED", { upstream: "u", sent: 0 }, {
    data: { n: 1 },
    cause: new Error("why"),
  });
  const { head } = await cross(() => Promise.reject(thrown));
  const error = assertThrows(() => decodeReply(head, REQUEST), SluiceError);
  assertEquals([error.code, error.params, error.data, error.cause], [thrown.code, thrown.params, {
    n: 1,
  }, "why"]);
});

Deno.test("decodeReply() adds what the owner has noted to the request's note, also of a request that fails", async () => {
  for (const fails of [false, true]) {
    const { head } = await cross(({ note }) => {
      note!.tool = "t";
      return fails
        ? Promise.reject(new TypeError("x"))
        : Promise.resolve({ status: 200, headers: {}, body: "" });
    });
    const note: CallNote = { correlationId: "c", session: "s" };
    if (fails) assertThrows(() => decodeReply(head, { note }), SluiceError);
    else decodeReply(head, { note });
    assertEquals(note, { correlationId: "c", session: "s", tool: "t" });
  }
});

Deno.test("serveEncoded() answers a text that is no envelope with a failure, and serves nothing", async () => {
  const { head, body } = await serveEncoded("{", () => Promise.reject(new Error("served")), never);
  assertEquals(body, null);
  const error = assertThrows(() => decodeReply(head, REQUEST), SluiceError);
  assertEquals([error.code, String(error.cause).includes("served")], ["INTERNAL", false]);
});
