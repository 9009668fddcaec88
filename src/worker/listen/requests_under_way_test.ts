import { assert, assertEquals } from "@std/assert";
import { peerName, RequestsUnderWay } from "./requests_under_way.ts";

const anyRequest = () => new Request("http://gateway/rpc");

function request(port: number) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port };
  return { info: { remoteAddr, completed: promise }, resolve, reject };
}

Deno.test("RequestsUnderWay knows a connection until its answers are sent, or cannot be", async () => {
  const underWay = new RequestsUnderWay();
  const [first, second, third] = [request(1), request(2), request(2)];
  for (const { info } of [first, second, third]) underWay.add(anyRequest(), info);
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
  underWay.add(anyRequest(), {
    completed: new Promise(() => {}),
    get remoteAddr(): Deno.NetAddr {
      throw new TypeError("Request closed");
    },
  });
  assertEquals(underWay.peerPorts(), []);
});

Deno.test("RequestsUnderWay finds all requests of a client, by address and port", () => {
  const underWay = new RequestsUnderWay();
  const completed = new Promise<void>(() => {});
  const add = (hostname: string, port: number) => {
    const request = anyRequest();
    underWay.add(request, { remoteAddr: { transport: "tcp", hostname, port }, completed });
    return request;
  };
  const [one, , other, , mapped] = [
    add("10.0.0.1", 7),
    add("10.0.0.2", 7),
    add("10.0.0.1", 7),
    add("10.0.0.1", 8),
    add("::ffff:10.0.0.3", 7),
  ];
  const found = underWay.requestsOf([
    peerName({ hostname: "10.0.0.1", port: 7 }),
    peerName({ hostname: "0:0:0:0:0:ffff:a00:3", port: 7 }),
  ]);
  assertEquals(found.length, 3);
  assert([one, other, mapped].every((request) => found.includes(request)));
});
