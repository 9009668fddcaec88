import { assertEquals } from "@std/assert";
import { faultOf, isCannotOpen, isDiskFull } from "./sqlite_errors.ts";

const error = (errcode: number, words = "SQLite's own words") => Object.assign(new Error(words), { errcode });

Deno.test("faultOf() says what is wrong with the file and what to do, extended codes included", () => {
  assertEquals(faultOf(error(13)), "the disk is full. Free space on it");
  assertEquals([13, 13 + 256, 14].map((code) => isDiskFull(error(code))), [true, true, false]);
  assertEquals(faultOf(error(11)), "the file is damaged. Restore it from a backup");
  assertEquals(
    faultOf(error(8 | 1 << 8)),
    "it is read-only. Give the user that runs Sluice write access to the file and to its folder",
  );
  assertEquals(faultOf(error(5)), faultOf(error(6)));
  assertEquals(faultOf(error(10, "disk I/O error")), "disk I/O error");
  assertEquals(faultOf(new Error("something else")), "something else");
});

Deno.test("isCannotOpen() knows the failure to open a file, with and without its code", () => {
  assertEquals([isCannotOpen(error(14)), isCannotOpen(error(14 | 2 << 8)), isCannotOpen(error(5))], [
    true,
    true,
    false,
  ]);
  assertEquals(isCannotOpen(new Error("unable to open database file: /x")), true);
  assertEquals(isCannotOpen(new Error("something else")), false);
});
