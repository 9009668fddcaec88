import { assertEquals } from "@std/assert";
import type { CallNote } from "../../telemetry/call_note.ts";
import { noteRequest } from "./request_note.ts";

function noted(method: string, params?: unknown): string | undefined {
  const note: CallNote = { correlationId: "c" };
  noteRequest(note, { method, params });
  assertEquals(note.rpcMethod, method.slice(0, 256));
  return note.tool;
}

Deno.test("noteRequest() names the tool, prompt or resource that a request is for", () => {
  assertEquals(noted("tools/call", { name: "time-now", arguments: { name: "secret" } }), "time-now");
  assertEquals(noted("prompts/get", { name: "greet" }), "greet");
  assertEquals(noted("resources/read", { uri: "file:///a" }), "file:///a");
  assertEquals(noted("resources/subscribe", { uri: "file:///a" }), "file:///a");
  assertEquals(noted("completion/complete", { ref: { type: "ref/prompt", name: "greet" } }), "greet");
  assertEquals(noted("completion/complete", { ref: { type: "ref/resource", uri: "a://{b}" } }), "a://{b}");
});

Deno.test("noteRequest() takes no argument of a tool for a name, and nothing that is none", () => {
  assertEquals(noted("send_mail", { name: "secret", uri: "secret" }), undefined);
  assertEquals(noted("initialize", { name: "secret" }), undefined);
  assertEquals(noted("tools/call", { name: { secret: 1 } }), undefined);
  assertEquals(noted("tools/call", undefined), undefined);
});

Deno.test("noteRequest() bounds what a client chooses, and leaves out of a URI what may be a secret", () => {
  assertEquals(noted("m".repeat(1_000)), undefined);
  assertEquals(noted("tools/call", { name: "x".repeat(1_000) })!.length, 256);
  assertEquals(noted("resources/read", { uri: "db://ana:hunter2@host/a/b?key=hunter2#x" }), "db://host/a/b");
  assertEquals(noted("resources/read", { uri: `db://${"x".repeat(300)}@host/a` }), "db://host/a");
});
