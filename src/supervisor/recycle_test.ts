import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { SluiceError } from "../base/errors.ts";
import { recycle } from "./recycle.ts";
import type { WorkerHandle, WorkerState } from "./worker_handle.ts";

/** A worker that can die, after which it answers nothing. */
class FakeWorker {
  state: WorkerState = "ready";
  readonly #start = Promise.withResolvers<void>();
  readonly prepared = this.#start.promise;
  readonly asked: string[] = [];

  constructor(readonly onAsked: (type: string) => void = () => {}) {}

  start(): void {
    this.#start.resolve();
  }

  ask({ type }: { readonly type: string }): Promise<unknown> {
    if (this.state === "dead") return Promise.reject(new SluiceError("WORKER_GONE"));
    this.asked.push(type);
    this.onAsked(type);
    return this.state === "ready" ? Promise.resolve([]) : Promise.reject(new SluiceError("WORKER_GONE"));
  }

  drain(): void {
    if (this.state !== "dead") this.state = "draining";
  }

  terminate(): void {
    this.state = "dead";
  }
}

/** Recycles `old`. @returns what became of the slot, once the successor may start */
function recycling(old: FakeWorker) {
  const clock = new FakeClock();
  const successor = new FakeWorker();
  const events: string[] = [];
  const done = recycle(old as unknown as WorkerHandle, {
    clock,
    makeSuccessor: () => successor as unknown as WorkerHandle,
    introduce: () => void events.push("introduced"),
    listen: () => Promise.resolve(void events.push("listening")),
    sockets: null,
    leaveMs: 4_000,
    migratesConnections: true,
  });
  done.catch(() => {});
  return { clock, successor, events, done };
}

Deno.test("recycle() gives the slot to a successor, and drains the old worker when its clients had time to leave", async () => {
  const old = new FakeWorker();
  const { clock, successor, events, done } = recycling(old);
  successor.start();
  await clock.tick(3_999);
  assertEquals([old.state, events], ["ready", ["introduced", "listening"]]);
  await clock.tick(1);
  await done;
  assertEquals([old.state, old.asked], ["draining", ["hand_over", "retire", "end_channels"]]);
  assertEquals([successor.state, successor.asked], ["ready", ["take_over"]]);
});

Deno.test("recycle() ends a successor that it has no slot for: the old worker died meanwhile, and is replaced as any other", async () => {
  const old = new FakeWorker();
  const { successor, events, done } = recycling(old);
  old.terminate();
  successor.start();
  await assertRejects(() => done, SluiceError);
  assertEquals([successor.state, events], ["dead", []]);
});

for (const when of ["hand_over", "retire", "end_channels"]) {
  Deno.test(`recycle() succeeds although the old worker dies at ${when}`, async () => {
    const old: FakeWorker = new FakeWorker((type) => type === when && old.terminate());
    const { clock, successor, events, done } = recycling(old);
    successor.start();
    await clock.tick(4_000);
    await done;
    assertEquals([successor.state, events], ["ready", ["introduced", "listening"]]);
  });
}
