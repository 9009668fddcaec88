import { assertEquals, assertRejects } from "@std/assert";
import type { Clock } from "../../base/clock.ts";
import { ConnectionWatch, type CutReason } from "./connection_watch.ts";
import type { PeerSocket, PeerSockets } from "./peer_sockets.ts";

const LIMITS = { headerMs: 20_000, idleMs: 75_000 };

/** A watch whose looks, time, sockets and busy connections the test decides. */
class Scene {
  now = 0;
  readonly sockets = new Map<number, PeerSocket>();
  readonly busy = new Set<number>();
  readonly cuts: string[] = [];
  asked = 0;
  failing = false;
  readonly watch: ConnectionWatch;

  constructor() {
    const clock: Clock = { now: () => this.now, setTimeout: () => 0, clearTimeout: () => {} };
    const sockets: PeerSockets = {
      list: () => [...this.sockets.values()],
      cut: ({ fd }) => void this.sockets.delete(fd),
    };
    this.watch = new ConnectionWatch({
      sockets,
      limits: LIMITS,
      maxConnections: 8,
      clock,
      busyPeerPorts: async () => {
        this.asked++;
        if (this.failing) throw new Error("a worker is blocked");
        return this.busy;
      },
      onCut: (counts: ReadonlyMap<CutReason, number>) => {
        for (const [reason, count] of counts) this.cuts.push(`${count} ${reason} at ${this.now / 1000} s`);
      },
    });
  }

  set(fd: number, changes: Partial<PeerSocket>): void {
    const before = this.sockets.get(fd) ??
      {
        fd,
        peerHost: "10.0.0.1",
        peerPort: 50_000 + fd,
        received: 0,
        acknowledged: 0,
        hasUnsent: false,
        awaitsAnswer: false,
      };
    this.sockets.set(fd, { ...before, ...changes });
  }

  /** Looks once a second for so long; `each` may change the scene before every look. */
  async pass(seconds: number, each: (second: number) => void = () => {}): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      each(second);
      await this.watch.look();
      this.now += 1000;
    }
  }
}

Deno.test("ConnectionWatch closes a connection that never sends anything", async () => {
  const scene = new Scene();
  scene.set(1, {});
  await scene.pass(30);
  assertEquals(scene.cuts, ["1 slow header at 20 s"]);
});

Deno.test("ConnectionWatch closes a connection whose head trickles, and one whose head stops", async () => {
  const scene = new Scene();
  scene.set(1, { received: 10 });
  scene.set(2, { received: 10 });
  await scene.pass(30, (second) => scene.sockets.has(1) && scene.set(1, { received: 10 + second }));
  assertEquals(scene.cuts, ["2 slow header at 20 s"]);
});

Deno.test("ConnectionWatch counts a late head from its first byte, not from the last answer", async () => {
  const scene = new Scene();
  scene.set(1, { received: 100, acknowledged: 200 });
  await scene.pass(50);
  await scene.pass(30, () => scene.sockets.has(1) && scene.set(1, { received: 110 }));
  assertEquals(scene.cuts, ["1 slow header at 70 s"]);
});

Deno.test("ConnectionWatch closes an idle connection after idleMs, and not while it is used", async () => {
  const scene = new Scene();
  scene.set(1, { received: 100, acknowledged: 200 });
  scene.set(2, { received: 100, acknowledged: 200 });
  await scene.pass(80, (second) => scene.set(2, { received: 100 + second, acknowledged: 200 + second }));
  assertEquals(scene.cuts, ["1 idle at 75 s"]);
  assertEquals([...scene.sockets.keys()], [2]);
});

Deno.test("ConnectionWatch spares a silent connection with a request under way, and counts anew from then", async () => {
  const scene = new Scene();
  scene.set(1, { received: 100 });
  scene.busy.add(50_001);
  await scene.pass(300);
  assertEquals(scene.cuts, []);
  scene.busy.clear();
  scene.set(1, { acknowledged: 200 });
  await scene.pass(75);
  assertEquals(scene.cuts, []);
  await scene.pass(1);
  assertEquals(scene.cuts, ["1 idle at 375 s"]);
});

Deno.test("ConnectionWatch closes a connection whose client takes nothing, even with a request under way", async () => {
  const scene = new Scene();
  scene.set(1, { received: 100, acknowledged: 200 });
  scene.busy.add(50_001);
  await scene.pass(60);
  scene.set(1, { hasUnsent: true });
  await scene.pass(75);
  assertEquals(scene.cuts, []);
  await scene.pass(1);
  assertEquals(scene.cuts, ["1 unread answer at 135 s"]);
});

Deno.test("ConnectionWatch lets a slow reader read on", async () => {
  const scene = new Scene();
  scene.busy.add(50_001);
  await scene.pass(300, (second) => scene.set(1, { received: 100, acknowledged: second, hasUnsent: true }));
  assertEquals(scene.cuts, []);
});

Deno.test("ConnectionWatch takes a descriptor's next connection for a new one", async () => {
  const scene = new Scene();
  scene.set(1, { received: 10 });
  await scene.pass(15);
  scene.set(1, { peerPort: 60_000, received: 5 });
  await scene.pass(20);
  assertEquals(scene.cuts, []);
  await scene.pass(1);
  assertEquals(scene.cuts, ["1 slow header at 35 s"]);
});

Deno.test("ConnectionWatch asks no worker while nobody is overdue", async () => {
  const scene = new Scene();
  scene.set(1, { received: 100, acknowledged: 200 });
  await scene.pass(70);
  assertEquals(scene.asked, 0);
});

Deno.test("ConnectionWatch closes nothing when the workers do not answer", async () => {
  const scene = new Scene();
  scene.set(1, {});
  await scene.pass(20);
  scene.failing = true;
  await assertRejects(() => scene.watch.look(), Error, "blocked");
  assertEquals([...scene.sockets.keys()], [1]);
});

Deno.test("ConnectionWatch closes a part of the connections above its limit: silent ones, then those of whoever has most", async () => {
  const scene = new Scene();
  const others = { received: 10, acknowledged: 5 };
  scene.set(1, { ...others, peerHost: "10.0.0.2" });
  scene.set(2, { ...others });
  scene.set(3, { ...others, peerPort: 77 });
  scene.busy.add(77);
  scene.set(4, { ...others });
  for (let fd = 5; fd <= 8; fd++) scene.set(fd, {});
  await scene.pass(1);
  assertEquals([...scene.sockets.keys()], [1, 2, 3, 4, 5, 6, 7, 8]);
  scene.set(9, {});
  await scene.pass(1);
  // A quarter of nine, rounded up: the oldest silent ones.
  assertEquals([...scene.sockets.keys()], [1, 2, 3, 4, 8, 9]);
  assertEquals(scene.cuts, ["3 no room at 1 s"]);
  await scene.watch.makeRoom();
  await scene.watch.makeRoom();
  assertEquals([...scene.sockets.keys()], [1, 3, 4]);
  for (let n = 0; n < 5; n++) await scene.watch.makeRoom();
  assertEquals([...scene.sockets.keys()], [3]);
});

Deno.test("ConnectionWatch.makeRoom() closes silent connections alone while a worker does not say which are busy", async () => {
  const scene = new Scene();
  scene.failing = true;
  scene.set(1, { received: 10 });
  scene.set(2, {});
  await scene.watch.makeRoom();
  await scene.watch.makeRoom();
  assertEquals([...scene.sockets.keys()], [1]);
});
