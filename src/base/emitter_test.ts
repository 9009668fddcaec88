import { assertEquals, assertThrows } from "@std/assert";
import { Emitter } from "./emitter.ts";

Deno.test("Emitter.emit() calls the listeners in the order in which they were added, with all that it is given", () => {
  const emitter = new Emitter<[number, string]>();
  emitter.emit(0, "nobody listens");
  const heard: unknown[] = [];
  emitter.add((...args) => heard.push(["first", ...args]));
  emitter.add((...args) => heard.push(["second", ...args]));
  emitter.emit(1, "a");
  assertEquals(heard, [["first", 1, "a"], ["second", 1, "a"]]);
});

Deno.test("Emitter.emit() throws what a listener throws, and calls no later one", () => {
  const emitter = new Emitter<[]>();
  let later = 0;
  emitter.add(() => {
    throw new Error("no");
  });
  emitter.add(() => later++);
  assertThrows(() => emitter.emit(), Error, "no");
  assertEquals(later, 0);
});
