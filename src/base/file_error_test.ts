import { assertEquals } from "@std/assert";
import { fileReason } from "./file_error.ts";

/** What reading `path` fails with. */
function failure(path: string): unknown {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    return error;
  }
}

Deno.test("fileReason() names the reason without path and number", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/file`, "");
  assertEquals(fileReason(failure(`${folder}/absent`)), "there is no such file");
  assertEquals(fileReason(failure(folder)), "it is a directory");
  assertEquals(fileReason(failure(`${folder}/file/below`)), "not a directory");
  await Deno.remove(folder, { recursive: true });
  assertEquals(
    fileReason(new Deno.errors.PermissionDenied("Permission denied (os error 13): open '/x'")),
    "permission denied",
  );
  assertEquals(fileReason(new Error("something else")), "something else");
});
