import { assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import type { SluiceError } from "../base/errors.ts";
import { ClientWatch } from "./client_watch.ts";

Deno.test("ClientWatch cancels a call that lasts when its client leaves, and looks at no other", () => {
  const clock = FakeTimers.install();
  try {
    const watch = new ClientWatch();
    let asked = 0;
    const request = (client: AbortController) => {
      const made = new Request("http://gateway/rpc", { signal: client.signal });
      return new Proxy(made, {
        get: (target, key) => {
          if (key === "signal") asked++;
          return Reflect.get(target, key, target);
        },
      });
    };
    const [staying, leaving, gone] = [new AbortController(), new AbortController(), new AbortController()];
    watch.leave(watch.enter(request(new AbortController())));
    const calls = [staying, leaving, gone].map((client) => watch.enter(request(client)));
    gone.abort();
    clock.tick(250);
    assertEquals(asked, 3);
    leaving.abort();
    assertEquals(calls.map(({ aborted }) => aborted), [false, true, true]);
    assertEquals((calls[1]!.reason as SluiceError).code, "REQUEST_CANCELLED");
    for (const call of calls) watch.leave(call);
    clock.tick(300);
    assertEquals(clock.countTimers(), 0);
  } finally {
    clock.uninstall();
  }
});

Deno.test("ClientWatch cancels the calls of a client that is said to be gone, however old they are", () => {
  const clock = FakeTimers.install();
  try {
    const watch = new ClientWatch();
    const [first, second, other] = Array.from({ length: 3 }, () => new Request("http://gateway/rpc"));
    const calls = [watch.enter(first!), watch.enter(second!), watch.enter(other!)];
    watch.gone(first!);
    clock.tick(1_000);
    watch.gone(second!);
    assertEquals(calls.map(({ aborted }) => aborted), [true, true, false]);
    watch.leave(calls[2]!);
    watch.gone(other!);
    assertEquals(calls[2]!.aborted, false);
    watch.close();
  } finally {
    clock.uninstall();
  }
});

Deno.test("ClientWatch leaves a call alone whose reply has begun, though its request was asked before", () => {
  const clock = FakeTimers.install();
  try {
    const watch = new ClientWatch();
    const gone = new AbortController();
    const request = new Request("http://gateway/mcp", { signal: gone.signal });
    const call = watch.enter(request);
    clock.tick(1_000);
    watch.leave(call);
    gone.abort();
    assertEquals(call.aborted, false);
    watch.close();
  } finally {
    clock.uninstall();
  }
});
