import { assertEquals } from "@std/assert";
import { checkListening } from "./listening.ts";

const found = async (host: string, port: number) =>
  (await checkListening({ host, port, ssl: false })).map((
    { severity, found, fix },
  ) => [severity, found, fix]);

Deno.test("checkListening() finds nothing where the gateway can listen, and the reason where it cannot", async () => {
  assertEquals(await found("127.0.0.1", 0), []);
  assertEquals((await found("192.0.2.1", 0))[0]!.slice(1), [
    "The gateway cannot listen on port 0 of 192.0.2.1: this machine does not have the address 192.0.2.1. " +
    "Set HOST to an address of this machine, or to 0.0.0.0 for all of them.",
    "HOST=127.0.0.1",
  ]);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  // It takes the connection, and closes it without an answer.
  const closing = taken.accept().then((connection) => connection.close());
  assertEquals(await found("127.0.0.1", port), [[
    "error",
    `A program that does not answer as a gateway has port ${port} of 127.0.0.1.`,
    `ss -ltnp 'sport = :${port}'`,
  ]]);
  await closing;
});
