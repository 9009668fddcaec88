import { assertRejects } from "@std/assert";
import { DeadlineTimer } from "../../base/deadline_timer.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { Connection } from "./http1_connection.ts";

Deno.test("a call that ends in the moment of a TLS alert fails with the reason of its end", async () => {
  const reading = Promise.withResolvers<number | null>();
  const socket = {
    read: () => reading.promise,
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close: () => {},
  };
  const deadlines = new DeadlineTimer(new FakeClock());
  const connection = new Connection(socket, {
    ...{ key: "k", tls: true, checkedFor: "crm", remoteIp: null, deadlines },
  });
  connection.send(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), "GET", undefined, {
    ...{ upstream: "crm", writeTimeoutMs: 1_000, readTimeoutMs: 1_000, readSetting: "S" },
    ...{ deadline: undefined, signal: undefined },
  });
  const filled = connection.fill();
  reading.reject(new Error("received fatal alert: CertificateRequired"));
  connection.abort(new Error("the client is gone"));
  await assertRejects(() => filled, Error, "the client is gone");
});
