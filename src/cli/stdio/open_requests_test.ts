import { assertEquals } from "@std/assert";
import { settle } from "../../../tests/support/fakes.ts";
import { OpenRequests } from "./open_requests.ts";

const said = (...messages: unknown[]) => {
  const requests = new OpenRequests();
  for (const message of messages) requests.said(JSON.stringify(message));
  let isOver = false;
  void requests.none().then(() => isOver = true);
  return {
    requests,
    isOver: async () => {
      await settle();
      return isOver;
    },
  };
};

Deno.test("OpenRequests.none() waits for the answers to all requests, and to nothing else", async () => {
  const others = [{ method: "notifications/x" }, { id: 9, result: {} }, 5, {
    id: 8,
    method: "subscriptions/listen",
  }];
  assertEquals(await said(...others).isOver(), true);
  const { requests, isOver } = said(...others, { id: 1, method: "a" }, [{ id: "1", method: "a" }]);
  for (const text of ["no JSON", '{"id":1,"method":"sampling/createMessage"}', '{"id":7,"result":{}}']) {
    requests.heard(text);
    assertEquals(await isOver(), false, text);
  }
  requests.heard('[{"id":1,"result":{}}]');
  assertEquals(await isOver(), false);
  requests.heard('{"id":"1","error":{}}');
  assertEquals(await isOver(), true);
});

Deno.test("OpenRequests.none() does not wait for a request that the client has given up", async () => {
  const { requests, isOver } = said({ id: 1, method: "a" });
  requests.said('{"method":"notifications/cancelled","params":{"requestId":1}}');
  assertEquals(await isOver(), true);
});
