// A worker's entry: takes its orders from the supervisor, listens on the shared port.
import { parentPort } from "node:worker_threads";
import { reasonOf, toSluiceError } from "../base/errors.ts";
import { type App, createApp } from "./app.ts";
import type { SupervisorLink } from "./supervisor_link.ts";
import type { Answers, FromWorker, Question, ToWorker } from "./messages.ts";

if (parentPort === null) throw new Error("this file is a worker of the supervisor");
const supervisor = parentPort;

function send(message: FromWorker): void {
  supervisor.postMessage(message);
}

/** Questions to the supervisor that wait for their answer. */
const asked = new Map<number, (values: readonly unknown[]) => void>();
let nextRequest = 1;

const link: SupervisorLink = {
  askAll<Q extends Question>(question: Q): Promise<readonly Answers[Q["type"]][]> {
    const request = nextRequest++;
    return new Promise((resolve) => {
      asked.set(request, (values) => resolve(values as readonly Answers[Q["type"]][]));
      send({ type: "ask_all", request, question });
    });
  },
};

let app: App;
let server: Deno.HttpServer;

async function start(message: Extract<ToWorker, { type: "start" }>): Promise<void> {
  try {
    app = await createApp(message, link);
    const { host, port } = message.config;
    server = Deno.serve(
      { hostname: host, port, reusePort: true, onListen: () => {}, onError: app.onServerError },
      app.handle,
    );
    send({ type: "ready" });
  } catch (error) {
    const { code, params, message: words, cause } = toSluiceError(error);
    send({ type: "failed", code, params, cause: cause === undefined ? words : reasonOf(cause) });
  }
}

/** Take no more connections, end the open streams, finish the calls, close what was opened. */
async function drain(): Promise<void> {
  const closed = server.shutdown();
  app.endStreams();
  await closed;
  await app.close();
  send({ type: "drained" });
}

async function obey(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "start":
      return await start(message);
    case "peer":
      return app.connect(message.worker, message.port);
    case "peer_gone":
      return app.disconnect(message.worker);
    case "question":
      return send({ type: "done", request: message.request, value: await app.answer(message.question) });
    case "answers":
      asked.get(message.request)?.(message.values);
      asked.delete(message.request);
      return;
    case "drain":
      return await drain();
  }
}

// In order: what comes while the application is being made waits for it. An answer is awaited by what runs, so it may not wait.
let queue: Promise<void> = Promise.resolve();
supervisor.on("message", (message: ToWorker) => {
  if (message.type === "answers") void obey(message);
  else queue = queue.then(() => obey(message));
});
