// Runs the command blocks of a page as its reader would, in an empty folder with the program on the PATH.

import { ChildOutput } from "./child_output.ts";
import { FROM_SOURCE, shellWords } from "./cli.ts";
import { freePort } from "./free_port.ts";
import type { CommandBlock } from "./manual_blocks.ts";
import { missingLine, missingMember } from "./shape.ts";
import { waitFor } from "./wait_for.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const MODULES = `${ROOT}tests/programs/node_modules`;

/** The address that stands for an MCP server of the reader's. */
const EXAMPLE_UPSTREAM = "https://mcp.example.com/mcp";

const DEFAULT_PORT = 4444;

interface Server {
  readonly port: number;
  readonly child: Deno.ChildProcess;
  readonly output: ChildOutput;
}

/** The shell of one page. Variables and the current folder carry over from block to block. */
export class ManualShell implements AsyncDisposable {
  readonly #folder: string;
  readonly #upstream: string;
  readonly #ports = new Map<number, number>();
  readonly #servers: Server[] = [];
  readonly #environment: Readonly<Record<string, string>>;

  /**
   * @param blocks all that the page has
   * @param upstream the address of the server that `https://mcp.example.com/mcp` stands for
   */
  static async open(blocks: readonly CommandBlock[], upstream: string): Promise<ManualShell> {
    const folder = await Deno.makeTempDir({ prefix: "sluice_manual_" });
    for (const name of ["bin", "home", "page"]) await Deno.mkdir(`${folder}/${name}`);
    await Deno.writeTextFile(`${folder}/bin/sluice`, sluiceScript(), { mode: 0o755 });
    await Deno.writeTextFile(`${folder}/bin/npx`, npxScript(), { mode: 0o755 });
    await Deno.writeTextFile(`${folder}/home/.curlrc`, "fail-with-body\nshow-error\n");
    await Deno.writeTextFile(`${folder}/state`, `cd '${folder}/page'\n`);
    // The server of the example is not on the reader's machine, so that it needs no permission there.
    const isExample = blocks.some(({ code }) => code.includes(EXAMPLE_UPSTREAM));
    return new ManualShell(folder, upstream, isExample ? { SSRF_ALLOW_LOCALHOST: "true" } : {});
  }

  private constructor(folder: string, upstream: string, settings: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.#upstream = upstream;
    this.#environment = {
      PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
      HOME: `${folder}/home`,
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
      NO_COLOR: "1",
      PYTHONPATH: `${ROOT}tests/programs/python_packages`,
      HOST: "127.0.0.1",
      WORKERS: "2",
      ...settings,
    };
  }

  /** @returns what is wrong with the block; null: nothing */
  async run(block: CommandBlock): Promise<string | null> {
    const code = await this.#commandsOf(block);
    switch (block.mode.kind) {
      case "not":
        return await this.#check(code);
      case "server":
        return await this.#serve(code, block.mode.port);
      case "stopped":
        await this.#stop(block.mode.port);
        return await this.#runToEnd(code, block);
      default:
        return await this.#runToEnd(code, block);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map(stop));
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #runToEnd(code: string, { mode, shown }: CommandBlock): Promise<string | null> {
    const save = `{ export -p; echo "cd '$PWD'"; } > '${this.#folder}/state'`;
    const { code: exitCode, stdout, stderr } = await this.#bash([
      "-c",
      `${this.#prelude()}\n${code}\n${save}`,
    ], {
      PORT: String(this.#port(DEFAULT_PORT)),
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    const all = `${out}${err}`;
    if ((exitCode !== 0) !== (mode.kind === "fails")) return `exit code ${exitCode}: ${all}`;
    if (shown?.lang === "text") {
      const line = missingLine(shown.text, all);
      return line && `the output lacks the line "${line}": ${all}`;
    }
    if (shown?.lang === "json") {
      const member = missingMember(JSON.parse(shown.text), JSON.parse(out!));
      return member && `the output differs from the shown one at ${member}: ${all}`;
    }
    return mode.kind === "fails" ? null : faultOf(out!);
  }

  async #serve(code: string, port: number): Promise<string | null> {
    await this.#stop(port);
    const real = this.#port(port);
    const child = this.#bash(["-c", `${this.#prelude()}\nexport PORT=${real}\n${code}`], {}, "setsid")
      .spawn();
    const output = new ChildOutput(child.stdout, child.stderr);
    this.#servers.push({ port, child, output });
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    const isReady = async () => {
      if (hasEnded) return true;
      (await Deno.connect({ hostname: "127.0.0.1", port: real })).close();
      return !/--demo|--dev/.test(code) ||
        output.lines.some((line) => line.includes("demo upstream registered"));
    };
    await waitFor(isReady, { what: () => `the server of port ${port}: ${output.tail()}` });
    return hasEnded ? `the server has ended: ${output.tail()}` : null;
  }

  /** Ends the server of a port, if there is one. */
  async #stop(port: number): Promise<void> {
    const at = this.#servers.findIndex((server) => server.port === port);
    if (at !== -1) await stop(this.#servers.splice(at, 1)[0]!);
  }

  /** The syntax alone. */
  async #check(code: string): Promise<string | null> {
    const { success, stderr } = await this.#bash(["-n", "-c", code], {}).output();
    return success ? null : new TextDecoder().decode(stderr);
  }

  #bash(args: readonly string[], env: Readonly<Record<string, string>>, launcher?: string): Deno.Command {
    const words = ["bash", ...args];
    const [program, ...rest] = launcher === undefined ? words : [launcher, ...words];
    return new Deno.Command(program!, {
      args: rest,
      cwd: `${this.#folder}/page`,
      clearEnv: true,
      env: { ...this.#environment, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  /** Every command must succeed; every variable must have a value, and is there in the next block too. */
  #prelude(): string {
    return `. '${this.#folder}/state'\nset -euao pipefail`;
  }

  /** The shell commands of a block. A client's program goes into a file. */
  async #commandsOf({ lang, code }: CommandBlock): Promise<string> {
    const text = this.#substitute(code);
    if (lang === "sh") return text;
    const file = `${this.#folder}/client.${lang}`;
    await Deno.writeTextFile(file, text);
    const deno = [Deno.execPath(), "run", "-A", "--quiet", "--config", `${ROOT}deno.json`];
    return shellWords(...lang === "ts" ? deno : ["python3"], file);
  }

  #substitute(code: string): string {
    return code.replaceAll(
      /((?:127\.0\.0\.1|localhost|\[::1\]):|\bPORT=|--port[ =])(\d{4,5})\b/g,
      (_, before, port) => before + this.#port(Number(port)),
    ).replaceAll(EXAMPLE_UPSTREAM, this.#upstream);
  }

  #port(shown: number): number {
    const real = this.#ports.get(shown) ?? freePort();
    this.#ports.set(shown, real);
    return real;
  }
}

/** The example's address is one of https, and the server that stands for it has no TLS. */
const WITHOUT_TLS =
  /\{"loc":\["body","ca_certificate"\],"msg":"has no effect without TLS, and the address begins with http:\/\/","type":"no_effect"\}/;

/** A failed call is HTTP 200 with a JSON-RPC error, and an unknown field is a warning, so that curl notices neither. */
function faultOf(output: string): string | null {
  if (/"warnings":\[[^\]]/.test(output.replace(WITHOUT_TLS, ""))) {
    return `the answer has a warning: ${output}`;
  }
  const isError = output.split("\n").some((line) =>
    /^(data: )?\{"jsonrpc".*("error":\{|"isError":true)/.test(line)
  );
  return isError ? `the answer is an error: ${output}` : null;
}

/** Ends the processes of a server: `setsid` has made them a group. The output ends with the last of them, later than the shell. */
async function stop({ child, output }: Server): Promise<void> {
  await new Deno.Command("kill", { args: ["--", `-${child.pid}`], stderr: "null" }).output();
  await child.status;
  await output.ended;
}

/** The program from source, or the executable that SLUICE_EXECUTABLE names. */
function sluiceScript(): string {
  const executable = Deno.env.get("SLUICE_EXECUTABLE");
  return `#!/bin/sh\nexec ${shellWords(...executable === undefined ? FROM_SOURCE : [executable])} "$@"\n`;
}

/** `npx` without a registry: the programs of tests/programs, in whatever version. */
function npxScript(): string {
  return `#!/bin/sh
while [ "$1" = -y ] || [ "$1" = --yes ]; do shift; done
package=$(echo "$1" | sed -E 's/(.)@[^/]*$/\\1/'); shift
node='${MODULES}/node-linux-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}/bin/node'
entry=$("$node" -p 'const p = require(process.argv[1] + "/package.json"); const b = p.bin;
  process.argv[1] + "/" + (typeof b === "string" ? b : Object.values(b)[0])' "${MODULES}/$package") || exit 1
exec "$node" --require '${ROOT}tests/support/bind_loopback.cjs' "$entry" "$@"
`;
}
