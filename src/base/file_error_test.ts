import { assertEquals } from "@std/assert";
import { fileReason, readFault, writeFault } from "./file_error.ts";

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
  assertEquals(
    fileReason(new Deno.errors.NotCapable("Requires read")),
    "Deno's permission for it is missing",
  );
  assertEquals(fileReason(new Error("something else")), "something else");
});

Deno.test("readFault() and writeFault() name the remedy", () => {
  const denied = new Deno.errors.PermissionDenied("Permission denied (os error 13): open '/x'");
  assertEquals(readFault(denied), "permission denied. Give the user that runs Sluice read access to it");
  assertEquals(
    writeFault(denied),
    "permission denied. Give the user that runs Sluice write access to the folder",
  );
  assertEquals(
    readFault(failure("/absent")),
    "there is no such file. Correct the path, or put the file there",
  );
  assertEquals(readFault(failure("/")), "it is a directory. Name a file, or move the directory away");
  assertEquals(
    writeFault(failure("/absent")),
    "no file can be made there. Make its folder first, or choose another one",
  );
  assertEquals(
    writeFault(failure("/etc/hostname/below")),
    "not a directory. Correct the path: a part of it is a file",
  );
  const taken = new Deno.errors.AlreadyExists("File exists (os error 17): mkdir '/x'");
  assertEquals(writeFault(taken), "file exists. Choose another name, or move the file away");
  const full = Object.assign(new Error("No space left on device (os error 28): writefile '/x'"), {
    code: "ENOSPC",
  });
  assertEquals(writeFault(full), "no space left on device. Free space on its disk");
  assertEquals(readFault(new Error("something else")), "something else");
});
