import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { readFilter } from "./listeners.ts";

const listen = (taskIds: string[], resourceSubscriptions: string[] = []) =>
  readFilter({ notifications: { taskIds, resourceSubscriptions } });

Deno.test("readFilter() takes what one request may listen to", () => {
  const ids = Array.from({ length: 999 }, (_, i) => `${i}`);
  assertEquals(listen(ids, ["x://a"]), { taskIds: ids, resourceSubscriptions: ["x://a"] });
  assertEquals(listen(["a".repeat(128 * 1024)]).taskIds?.length, 1);
});

Deno.test("readFilter() refuses more resources and tasks, and more characters, than one request may name", () => {
  const words = "at most 1000 resources and tasks, which have at most 131072 characters together";
  assertThrows(() => listen(Array(500).fill("a"), Array(501).fill("x://a")), SluiceError, words);
  assertThrows(() => listen(["a".repeat(64 * 1024)], ["b".repeat(64 * 1024 + 1)]), SluiceError, words);
});
