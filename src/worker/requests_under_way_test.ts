import { assertEquals } from "@std/assert";
import { RequestsUnderWay } from "./requests_under_way.ts";

function request(port: number) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port };
  return { info: { remoteAddr, completed: promise }, resolve, reject };
}

Deno.test("RequestsUnderWay knows a connection until its answers are sent, or cannot be", async () => {
  const underWay = new RequestsUnderWay();
  const [first, second, third] = [request(1), request(2), request(2)];
  for (const { info } of [first, second, third]) underWay.add(info);
  assertEquals(underWay.peerPorts(), [1, 2]);
  first.resolve();
  second.reject(new Error("the client has gone"));
  await Promise.allSettled([first.info.completed, second.info.completed]);
  assertEquals(underWay.peerPorts(), [2]);
  third.resolve();
  await third.info.completed;
  assertEquals(underWay.peerPorts(), []);
});

Deno.test("RequestsUnderWay passes over a request whose connection Deno no longer knows", () => {
  const underWay = new RequestsUnderWay();
  underWay.add({
    completed: new Promise(() => {}),
    get remoteAddr(): Deno.NetAddr {
      throw new TypeError("Request closed");
    },
  });
  assertEquals(underWay.peerPorts(), []);
});
