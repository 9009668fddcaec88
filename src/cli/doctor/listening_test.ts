import { assertEquals } from "@std/assert";
import { checkListening } from "./listening.ts";

const found = async (host: string, port: number, listen?: Parameters<typeof checkListening>[1]) =>
  (await checkListening({ host, port, ssl: false }, listen)).map((
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

Deno.test("checkListening() finds nothing where a gateway answers on a port that this user may not listen on", async () => {
  const refused = () => {
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  };
  await using gateway = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => Response.json({}),
  );
  const { port } = gateway.addr;
  assertEquals(await found("127.0.0.1", port, refused), []);
  await gateway.shutdown();
  const [[severity, , fix] = []] = await found("127.0.0.1", port, refused);
  assertEquals([severity, fix], ["error", "AmbientCapabilities=CAP_NET_BIND_SERVICE"]);
});
