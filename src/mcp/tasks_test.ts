import { assertEquals } from "@std/assert";
import { elementTexts } from "./json_rpc.ts";
import { declaresTasksExtension, TASKS_EXTENSION, withoutTasksExtension } from "./tasks.ts";

Deno.test("declaresTasksExtension() looks where capabilities name extensions", () => {
  assertEquals(declaresTasksExtension(`{"extensions":{"${TASKS_EXTENSION}":{}}}`), true);
  assertEquals(declaresTasksExtension(`{"extensions":{"${TASKS_EXTENSION.replace("/", "\\/")}":{}}}`), true);
  for (
    const other of [`{"experimental":{"${TASKS_EXTENSION}":{}}}`, `{"extensions":"${TASKS_EXTENSION}"}`, "{}"]
  ) {
    assertEquals(declaresTasksExtension(other), false);
  }
  assertEquals(declaresTasksExtension(undefined), false);
});

Deno.test("withoutTasksExtension() leaves all other capabilities as they are", () => {
  const others = '{ "sampling":{}, "extensions":{"x":1.0} }';
  assertEquals(withoutTasksExtension(others), others);
  assertEquals(withoutTasksExtension(others.replace('"x"', `"${TASKS_EXTENSION}":{},"x"`)), others);
});

Deno.test("elementTexts() gives the elements of an array as they are written", () => {
  assertEquals(elementTexts(' [ 1.0 ,"a]\\"",{ "b":[1,2] },[ ],null]'), [
    "1.0",
    '"a]\\""',
    '{ "b":[1,2] }',
    "[ ]",
    "null",
  ]);
  for (const none of ["[]", " [ ] ", "{}", '"[1]"', "1"]) assertEquals(elementTexts(none), []);
});
