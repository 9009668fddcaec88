import { assertEquals } from "@std/assert";
import { ERRORS } from "../../src/base/errors.ts";
import { errorsPart } from "./errors.ts";

Deno.test("errorsPart() has a section for every error", () => {
  const codes = [...errorsPart().matchAll(/^### (\w+)$/gm)].map(([, code]) => code!);
  assertEquals(codes.sort(), Object.keys(ERRORS).sort());
});
