import { assertEquals } from "@std/assert";
import { Cancellation } from "../../base/cancellation.ts";
import { memberText } from "../../mcp/json_rpc.ts";
import type { AskOptions, ClientPeer, RpcAnswer } from "../../upstream/client/client_peer.ts";
import { type ClientPreferences, ClientState } from "../../upstream/client/client_state.ts";
import { TaskIds } from "./task_ids.ts";
import { TaskRelay } from "./task_relay.ts";

const IDS = new TaskIds("secret");
const OWNER = { issuer: "i", subject: "ann", reach: "", serverId: null, isSessionless: false };
const RELATED = "io.modelcontextprotocol/related-task";

function setUp(
  answer: (method: string, params: string | undefined) => string = () => "{}",
  preferences?: ClientPreferences,
) {
  const notified: string[] = [];
  const asked: [method: string, params: string | undefined][] = [];
  const progress: string[] = [];
  let kept: ClientPreferences | undefined;
  const peer: ClientPeer = {
    notify: (text) => notified.push(text),
    request: (method, params, { onProgress }) => {
      asked.push([method, params]);
      onProgress(
        `{"method":"notifications/progress","params":{"_meta":{"${RELATED}":{"taskId":"${idOf("a")}"}}}}`,
      );
      return Promise.resolve({ text: answer(method, params), failed: false });
    },
  };
  const client: ClientState = new ClientState({
    peer,
    tasks: (client) => new TaskRelay(IDS, OWNER, client),
    preferences,
    onChange: () => {
      kept = client.preferences;
      return Promise.resolve();
    },
  });
  const options: AskOptions = { signal: new Cancellation(), onProgress: (text) => progress.push(text) };
  const ask = (upstreamId: string, method: string, params?: string): Promise<RpcAnswer> =>
    client.peerFor(upstreamId)!.request!(method, params, options);
  return { client, notified, asked, progress, ask, kept: () => kept };
}

function idOf(gatewayId: string, taskId = "t1"): string {
  return IDS.seal(OWNER, { gatewayId, taskId });
}

function about(taskId: string): string {
  return `{"message":"1.0 \\u0041","_meta":{"n":1.0,"${RELATED}":{ "taskId":"${taskId}" }}}`;
}

Deno.test("TaskRelay gives what an upstream sends of its tasks our ids, and leaves everything else alone", () => {
  const { client, notified } = setUp();
  const peer = client.peerFor("a")!;
  const message = (method: string, params: string) =>
    `{"jsonrpc":"2.0","method":"${method}","params":${params}}`;
  const status = (id: string) => `{"taskId":"${id}","status":"working","ttl":1.0}`;
  const texts = (id: string) => [
    message("notifications/progress", about(id)),
    message("notifications/tasks/status", status(id)),
    message("notifications\\/tasks\\/status", status(id)),
    message("notifications/other", status("t1")),
    message("notifications/message", '{"data":"taskId"}'),
    message("notifications/message", '{"data":{"taskId":"t1"}}'),
  ];
  for (const text of texts("t1")) peer.notify(text);
  assertEquals(notified, texts(idOf("a")));
});

Deno.test("TaskRelay gives a question about a task our id, and the answer the upstream's again", async () => {
  const { ask, asked, progress } = setUp((_, params) => params!);
  assertEquals(await ask("a", "elicitation/create", about("t1")), { text: about("t1"), failed: false });
  assertEquals(asked, [["elicitation/create", about(idOf("a"))]]);
  assertEquals(progress.map((text) => JSON.parse(text).params._meta[RELATED].taskId), ["t1"]);
});

Deno.test("TaskRelay tells an upstream nothing of another's tasks that a client names in its answer", async () => {
  const { ask } = setUp(() => about(idOf("b", "secret")));
  assertEquals((await ask("a", "elicitation/create", about("t1"))).text, about(idOf("b", "secret")));
});

const CREATED = '{"task":{"taskId":"c1","status":"working"}}';
const LIST = '{"tasks":[{"taskId":"c1","ttl":1.0},{"taskId":"c2"}],"nextCursor":"x"}';

Deno.test("TaskRelay lets an upstream name those tasks of the client alone that run for it", async () => {
  const answers: Record<string, string> = { "sampling/createMessage": CREATED, "tasks/list": LIST };
  const { ask, asked, kept } = setUp((method) => answers[method] ?? '{"taskId":"c1"}');
  assertEquals((await ask("a", "sampling/createMessage", '{"task":{}}')).text, CREATED);
  asked.length = 0;
  for (const method of ["tasks/get", "tasks/result", "tasks/cancel"]) {
    assertEquals((await ask("a", method, '{"taskId":"c1"}')).text, '{"taskId":"c1"}');
    for (
      const [upstreamId, params] of [["b", '{"taskId":"c1"}'], ["a", '{"taskId":"c2"}'], [
        "a",
        undefined,
      ]] as const
    ) {
      const { failed, text } = await ask(upstreamId, method, params);
      assertEquals([failed, JSON.parse(text).code], [true, -32602]);
    }
  }
  assertEquals(asked.length, 3);
  assertEquals((await ask("a", "tasks/list")).text, '{"tasks":[{"taskId":"c1","ttl":1.0}],"nextCursor":"x"}');
  assertEquals((await ask("b", "tasks/list")).text, '{"tasks":[],"nextCursor":"x"}');
  // Another worker resumes the session.
  const moved = setUp(() => '{"taskId":"c1"}', kept());
  assertEquals((await moved.ask("a", "tasks/get", '{"taskId":"c1"}')).failed, false);
  assertEquals((await moved.ask("b", "tasks/get", '{"taskId":"c1"}')).failed, true);
});

Deno.test("TaskRelay.addressee() knows the one upstream that a client's notification about a task is for", async () => {
  const { client, ask } = setUp(() => CREATED);
  await ask("b", "sampling/createMessage", '{"task":{}}');
  const status = (id: string) => `{"method":"notifications/tasks/status","params":{"taskId":"${id}"}}`;
  const { tasks } = client;
  assertEquals(tasks!.addressee(status("c1")), { upstreamId: "b", text: status("c1") });
  assertEquals(tasks!.addressee(status("unknown")), null);
  const related = (id: string) => `{"method":"notifications/x","params":${about(id)}}`;
  assertEquals(tasks!.addressee(related(idOf("a"))), { upstreamId: "a", text: related("t1") });
  assertEquals(tasks!.addressee(related("unknown")), null);
  assertEquals(tasks!.addressee('{"method":"notifications/roots/list_changed"}'), undefined);
  assertEquals(tasks!.addressee('{"method":"notifications/x","params":{"taskId":"c1"}}'), undefined);
});

Deno.test("ClientState forgets the oldest of too many tasks of the client", async () => {
  let n = 0;
  const { client, ask } = setUp(() => `{"task":{"taskId":"c${++n}"}}`);
  for (let i = 0; i < 1_001; i++) await ask("a", "sampling/createMessage", '{"task":{}}');
  assertEquals([client.ownerOfTask("c1"), client.ownerOfTask("c2")], [undefined, "a"]);
  assertEquals(memberText(JSON.stringify(client.preferences.tasks), "c1001"), '"a"');
});
