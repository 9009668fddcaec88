// A worker's entry: takes its orders from the supervisor, listens on the shared port.
import { parentPort } from "node:worker_threads";
import type { Config } from "../config/schema.ts";
import { reasonOf, toSluiceError } from "../base/errors.ts";
import { type App, createApp } from "./wiring/app.ts";
import { becomeInterruptible } from "./interruptible.ts";
import { listen, type Listening } from "./listen/listen.ts";
import type { Answers, FromWorker, Question, SupervisorQuestion, ToWorker } from "./protocol/messages.ts";
import type { SupervisorLink } from "./protocol/supervisor_link.ts";

if (parentPort === null) throw new Error("this file is a worker of the supervisor");
const supervisor = parentPort;

function send(message: FromWorker): void {
  supervisor.postMessage(message);
}

/** Questions to the supervisor that wait for their answer. */
const asked = new Map<number, (values: readonly unknown[]) => void>();
let nextRequest = 1;

const link: SupervisorLink = {
  writeLog: (lines) => send({ type: "log", lines }),
  wantsRecycling: (reason) => send({ type: "wants_recycling", reason }),
  askAll<Q extends Question | SupervisorQuestion>(question: Q): Promise<readonly Answers[Q["type"]][]> {
    const request = nextRequest++;
    return new Promise((resolve) => {
      asked.set(request, (values) => resolve(values as readonly Answers[Q["type"]][]));
      send({ type: "ask_all", request, question });
    });
  },
};

let config: Config;
let app: App;
let isMade = false;
let becomeUninterruptible = () => {};
let listening: Listening | undefined;

async function start(message: Extract<ToWorker, { type: "start" }>): Promise<void> {
  try {
    config = message.config;
    app = await createApp(message, link);
    isMade = true;
    becomeUninterruptible = becomeInterruptible();
    send({ type: "prepared" });
  } catch (error) {
    fail(error);
  }
}

async function startListening(): Promise<void> {
  try {
    listening = await listen(config, app.handle, { onError: app.onServerError });
    send({ type: "ready" });
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  const { code, params, message: words, cause } = toSluiceError(error);
  send({ type: "failed", code, params, cause: cause === undefined ? words : reasonOf(cause) });
}

/** End the open streams, finish the calls, take no more connections, close what was opened. */
async function drain(): Promise<void> {
  becomeUninterruptible();
  void app.resign();
  // Before the server: its shutdown breaks off WebSockets, and the calls on them.
  listening?.retire();
  await app.endStreams();
  await listening?.shutdown();
  await app.whenIdle();
  await app.close();
  send({ type: "drained", counters: app.counters() });
}

async function answer(question: Question): Promise<Answers[Question["type"]]> {
  switch (question.type) {
    case "busy_peers":
      return [...listening?.busyPeerPorts() ?? [], ...app.webSocketPorts()];
    case "clients_gone":
      for (const request of listening?.requestsOf(question.peers) ?? []) app.clientGone(request);
      return null;
    case "reload_certificate":
      return await listening?.reloadCertificate().then(() => null, reasonOf) ?? null;
    case "retire":
      listening?.retire();
      return null;
    case "close_retired":
      listening?.closeRetired();
      return null;
    default:
      return await app.answer(question);
  }
}

/** Whatever an answer meets: who asked hears of it, and the next order is obeyed. */
async function answerTo({ request, question }: Extract<ToWorker, { type: "question" }>): Promise<void> {
  try {
    send({ type: "done", request, value: await answer(question) });
  } catch (error) {
    send({ type: "not_answered", request, question: question.type, cause: reasonOf(error) });
  }
}

async function obey(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "start":
      return await start(message);
    case "listen":
      return await startListening();
    case "ping":
      return send({ type: "pong", counters: app.counters() });
    case "peer":
      return app.ports.connect(message.worker, message.port);
    case "peer_gone":
      return app.ports.disconnect(message.worker);
    case "former_peer_gone":
      return app.ports.disconnectFormer(message.worker);
    case "question":
      return await answerTo(message);
    case "answers":
      asked.get(message.request)?.(message.values);
      asked.delete(message.request);
      return;
    case "drain":
      // Questions are answered to the end: a write elsewhere waits for every worker.
      void drain();
      return;
  }
}

const PROMPT_WHEN_MADE: ReadonlySet<Question["type"]> = new Set([
  "replica_record",
  "read_catalog",
  "catalog_version",
  "end_channels",
]);

/** Asked while something else takes its time, too; or waits for the database or for calls, and nothing else shall wait for that. */
function isPromptQuestion({ type }: Question): boolean {
  return type === "busy_peers" || type === "clients_gone" || isMade && PROMPT_WHEN_MADE.has(type);
}

// In order: what comes while the application is being made waits for it. An answer is awaited by what runs, so it may not wait.
let queue: Promise<void> = Promise.resolve();
supervisor.on("message", (message: ToWorker) => {
  const isPrompt = message.type === "answers" || message.type === "ping" ||
    message.type === "question" && isPromptQuestion(message.question);
  if (isPrompt) void obey(message);
  else queue = queue.then(() => obey(message));
});
