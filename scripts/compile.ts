// `deno task compile`: the one executable, with the workers' code and every asset inside.
//
//   deno task compile [--output FILE] [--without run,ffi] [--licenses FILE]
//
// `--without` leaves permissions out of the executable, for operators who never need them. `--licenses` writes the licences of
// Deno and the packages inside.

import { parseArgs } from "@std/cli/parse-args";
import { bundle } from "./bundle.ts";
import { compile, fromCaller, licenseTexts, runtimeInside } from "./executable.ts";

/** Permissions that the program can do without. */
const OPTIONAL = ["run", "ffi"];

const { output, without, licenses, _: rest, ...unknown } = parseArgs(Deno.args, {
  string: ["output", "without", "licenses"],
  default: { output: "sluice", without: "" },
});
const left = without.split(",").filter((name: string) => name !== "");
if (
  rest.length > 0 || Object.keys(unknown).length > 0 || left.some((name: string) => !OPTIONAL.includes(name))
) {
  console.error(
    `Usage: deno task compile [--output FILE] [--without ${OPTIONAL.join(",")}] [--licenses FILE]`,
  );
  Deno.exit(2);
}
// Deno adds the ending on Windows.
const file = fromCaller(Deno.build.os === "windows" && !output.endsWith(".exe") ? `${output}.exe` : output);
console.error("Compiling. The first time, Deno downloads the runtime that goes into the executable.");
const program = await Deno.makeTempDir();
let code: number;
try {
  const packages = await bundle(program);
  code = await compile({ program, output: file, without: left, target: null });
  if (licenses !== undefined) {
    await Deno.writeTextFile(fromCaller(licenses), licenseTexts([await runtimeInside(), ...packages]));
  }
} finally {
  await Deno.remove(program, { recursive: true });
}
if (code === 0) console.error(`Made ${file}, ${Math.round((await Deno.stat(file)).size / 1e6)} MB.`);
Deno.exit(code);
