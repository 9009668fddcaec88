import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { Cancellation } from "../../base/cancellation.ts";
import { classify } from "../../mcp/json_rpc.ts";
import { ClientQuestions } from "./client_questions.ts";

function setUp() {
  const questions = new ClientQuestions(new FakeClock(), 60_000);
  const sent: string[] = [];
  const ask = (params: string | undefined, heard: string[] = [], signal = new Cancellation()) =>
    questions.ask("sampling/createMessage", params, {
      send: (text) => void sent.push(text),
      signal,
      onProgress: (text) => void heard.push(text),
    });
  const progress = (text: string) => {
    const message = classify(JSON.parse(text), text);
    return message.kind === "notification" && questions.progress(message);
  };
  return { questions, sent, ask, progress };
}

Deno.test("ClientQuestions.progress() tells each of two askers with one progress token its own, as the client has written it", () => {
  const { sent, ask, progress } = setUp();
  const heard: string[][] = [[], [], []];
  for (const own of heard.slice(0, 2)) void ask('{"x":1.0,"_meta":{"a":1e400,"progressToken":0}}', own);
  void ask('{"_meta":{}}', heard[2]);
  const tokens = sent.map((text) => JSON.parse(text).params._meta.progressToken);
  assertEquals(new Set(tokens).size, 3);
  const said = (token: unknown) =>
    `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0,"progressToken":${
      JSON.stringify(token)
    }}}`;
  assertEquals(tokens.slice(0, 2).map((token) => progress(said(token))), [true, true]);
  assertEquals(heard, [[said(0)], [said(0)], []]);
  const asked = `"params":{"x":1.0,"_meta":{"a":1e400,"progressToken":${tokens[0]}}}}`;
  assertEquals(sent[0]!.endsWith(asked), true, sent[0]);
  // Of nobody, and of one that wants none.
  assertEquals([0, "x", JSON.parse(sent[2]!).id].map((token) => progress(said(token))), [
    false,
    false,
    false,
  ]);
});

Deno.test("ClientQuestions.ask() tells the client nothing of what was given up before it was asked", async () => {
  const { sent, ask } = setUp();
  const signal = new Cancellation();
  signal.cancel(new Error("gone"));
  await assertRejects(() => ask("{}", [], signal), Error, "gone");
  assertEquals(sent, []);
});

Deno.test("ClientQuestions.ask() numbers its requests by integers of 32 bits, and takes the answer under the same", async () => {
  const { questions, sent, ask } = setUp();
  const answers = [ask("{}"), ask("{}")];
  const ids = sent.map((text) => JSON.parse(text).id);
  assertEquals(ids, [ids[0], ids[0] + 1]);
  assertEquals(ids.every((id) => Number.isInteger(id) && id > 0 && id < 2 ** 31), true, String(ids));
  for (const id of ids.toReversed()) {
    const text = `{"jsonrpc":"2.0","id":${id},"result":{"said":${id}}}`;
    const message = classify(JSON.parse(text), text);
    assertEquals(message.kind === "response" && questions.answer(message), true);
  }
  assertEquals((await Promise.all(answers)).map(({ text }) => text), ids.map((id) => `{"said":${id}}`));
});
