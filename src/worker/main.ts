// Room `worker`: one thread that serves the gateway on the shared port. The supervisor starts it and speaks to it by the messages of
// `protocol`; other rooms import nothing of it but those. `sluice stdio` alone uses `wiring`, to make a gateway without a port.
//
// This file is the thread's entry: it runs the supervisor's messages in order. The list of modules is imported first, to save memory.
import "./worker_modules.js";
import { parentPort } from "node:worker_threads";
import type { Config } from "../config/schema.ts";
import { reasonOf, toSluiceError } from "../base/errors.ts";
import { collectGarbage } from "../base/sharing/garbage.ts";
import { type App, createApp } from "./wiring/app.ts";
import { becomeInterruptible } from "./interruptible.ts";
import { listen, type Listening } from "./listen/listen.ts";
import type {
  CommandResults,
  FromWorker,
  SupervisorCommand,
  ToWorker,
  WorkerCommand,
} from "./protocol/messages.ts";
import type { SupervisorLink } from "./protocol/supervisor_link.ts";

if (parentPort === null) throw new Error("this file is a worker of the supervisor");
const supervisor = parentPort;

function send(message: FromWorker): void {
  supervisor.postMessage(message);
}

/** This worker's commands for all workers, by request, until their results are here. */
const asked = new Map<number, (values: readonly unknown[]) => void>();
let nextRequest = 1;

const link: SupervisorLink = {
  writeLog: (lines, kind) => send({ type: "log", lines, kind }),
  wantsRecycling: (reason) => send({ type: "wants_recycling", reason }),
  askAll<C extends WorkerCommand | SupervisorCommand>(
    command: C,
  ): Promise<readonly CommandResults[C["type"]][]> {
    const request = nextRequest++;
    return new Promise((resolve) => {
      asked.set(request, (values) => resolve(values as readonly CommandResults[C["type"]][]));
      send({ type: "ask_all", request, command });
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
    collectGarbage();
    isMade = true;
    becomeUninterruptible = becomeInterruptible();
    send({ type: "prepared" });
  } catch (error) {
    fail(error);
  }
}

async function startListening(): Promise<void> {
  try {
    listening = await listen(config, app.handle, {
      onError: app.onServerError,
      onAcceptFailed: (error) => {
        app.onAcceptFailed(error);
        send({ type: "cannot_accept" });
      },
      onListeningAgain: () => send({ type: "listening_again" }),
    });
    send({ type: "ready" });
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  const { code, params, message: words, cause } = toSluiceError(error);
  send({ type: "failed", code, params, cause: cause === undefined ? words : reasonOf(cause) });
}

/** Ends the streams, finishes the calls, accepts no more connections, and closes what was opened. */
async function drain(): Promise<void> {
  becomeUninterruptible();
  void app.resign();
  // Before the shutdown of the server, which breaks WebSockets off, and the calls on them.
  listening?.retire();
  await app.endStreams();
  await listening?.shutdown();
  await app.whenIdle();
  await app.close();
  send({ type: "drained" });
}

async function run(command: WorkerCommand): Promise<CommandResults[WorkerCommand["type"]]> {
  switch (command.type) {
    case "busy_peers":
      return [...listening?.busyPeerPorts() ?? [], ...app.webSocketPorts()];
    case "clients_gone":
      for (const request of listening?.requestsOf(command.peers) ?? []) app.clientGone(request);
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
      return await app.run(command);
  }
}

/** Never rejects: a failure is reported to the asking side, and the next message is handled. */
async function runAndReport({ request, command }: Extract<ToWorker, { type: "command" }>): Promise<void> {
  try {
    send({ type: "done", request, value: await run(command) });
  } catch (error) {
    send({ type: "command_failed", request, command: command.type, cause: reasonOf(error) });
  }
}

/** Null in a worker that could not start: the supervisor may send peers before it hears of the failure. */
function peers(): App["ports"] | null {
  return isMade ? app.ports : null;
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "start":
      return await start(message);
    case "listen":
      return await startListening();
    case "ping":
      return send({ type: "pong" });
    case "peer":
      return peers()?.connect(message.worker, message.port);
    case "peer_gone":
      return peers()?.disconnect(message.worker);
    case "former_peer_gone":
      return peers()?.disconnectFormer(message.worker);
    case "command":
      return await runAndReport(message);
    case "results":
      asked.get(message.request)?.(message.values);
      asked.delete(message.request);
      return;
    case "drain":
      // Not awaited: commands are run until the end, because a write to the registry waits for every worker.
      void drain();
      return;
  }
}

/** Commands that wait for the database or for calls: no other message waits for them once the application is made. */
const CONCURRENT_WHEN_MADE: ReadonlySet<WorkerCommand["type"]> = new Set([
  "replica_record",
  "read_catalog",
  "catalog_version",
  "end_channels",
]);

/** Messages that do not wait for the ones before them. Results of `ask_all` are awaited by what runs, so they must not wait. */
function isConcurrent(message: ToWorker): boolean {
  if (message.type !== "command") return message.type === "results" || message.type === "ping";
  const { type } = message.command;
  return type === "busy_peers" || type === "clients_gone" || isMade && CONCURRENT_WHEN_MADE.has(type);
}

// The other messages are handled in order; what comes while the application is made waits for it.
let queue: Promise<void> = Promise.resolve();
supervisor.on("message", (message: ToWorker) => {
  if (isConcurrent(message)) void handle(message);
  else queue = queue.then(() => handle(message));
});
