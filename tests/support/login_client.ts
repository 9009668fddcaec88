// Programs that log in to a gateway with a browser: a home for each, the addresses that it opens, and what it does with its tokens.
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { BrowserContext } from "playwright-core";
import { waitFor } from "./wait_for.ts";

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A program, by its commands. */
export interface LoginClient {
  /** Files that the program finds, by their path below its home. */
  readonly files?: Readonly<Record<string, string>>;
  /** Logs in with a browser. */
  readonly logIn: Command;
  /** Calls the tool `demo-echo` with the message "hi", without a question. */
  readonly call: Command;
  /** What a call prints; default: the message. */
  readonly called?: RegExp;
  /** Forgets the login; null: `logIn` does. */
  readonly logOut: Command | null;
  /** What the program says when its person has not allowed it. */
  readonly denied: RegExp;
}

interface Outcome {
  readonly code: number;
  readonly text: string;
}

/** A token of the gateway in a program's file. */
const TOKEN = /eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g;

/** Where a program keeps its files, and a browser that only writes down the addresses that it is given. */
export class ClientHome {
  private constructor(private readonly folder: string) {}

  static async make(files: Readonly<Record<string, string>> = {}): Promise<ClientHome> {
    const folder = await Deno.makeTempDir();
    const browser = `#!/bin/sh\necho "$1" >> ${folder}/opened\n`;
    for (const [name, text] of Object.entries({ ...files, "bin/xdg-open": browser, opened: "" })) {
      const path = `${folder}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text, { mode: 0o700 });
    }
    return new ClientHome(folder);
  }

  async opened(): Promise<readonly string[]> {
    const text = await Deno.readTextFile(`${this.folder}/opened`);
    return text.split("\n").filter((line) => line !== "");
  }

  async run({ command, args, env = {} }: Command): Promise<Outcome> {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      cwd: this.folder,
      env: {
        HOME: this.folder,
        PATH: `${this.folder}/bin:${Deno.env.get("PATH")}`,
        BROWSER: `${this.folder}/bin/xdg-open`,
        NO_COLOR: "1",
        ...env,
      },
      stdin: "null",
    }).output();
    return { code, text: [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("") };
  }

  /** Runs a program, and answers the page that it opens. @param browser whose person has signed in */
  async answer(command: Command, button: "Allow" | "Cancel", browser: BrowserContext): Promise<Outcome> {
    const before = (await this.opened()).length;
    const running = this.run(command);
    const opened = waitFor(async () => (await this.opened())[before], { what: "the address to visit" });
    const early = await Promise.race([opened, running.then(({ text }) => ({ text }))]);
    if (typeof early !== "string") throw new Error(`The program ended without a browser:\n${early.text}`);
    // Of its own: the page where the program ends the login may still load when the program has ended.
    const page = await browser.newPage();
    await page.goto(early);
    await page.getByRole("button", { name: button }).click();
    const outcome = await running;
    await page.close();
    return outcome;
  }

  /** Makes tokens of the program ones that the gateway refuses, as it refuses those that have expired. @returns how many */
  async spoilTokens(folder = this.folder): Promise<number> {
    let amount = 0;
    for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) amount += await this.spoilTokens(path);
      if (!isFile) continue;
      const text = await Deno.readTextFile(path).catch(() => "");
      const spoilt = text.replaceAll(TOKEN, (token) => {
        amount++;
        return `${token}x`;
      });
      if (spoilt !== text) await Deno.writeTextFile(path, spoilt);
    }
    return amount;
  }

  async remove(): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Logs a program in, has it call, refresh and log out, and says no to it. @param browser whose person has signed in */
export async function checkLoginClient(
  { files, logIn, call, called = /\bhi\b/, logOut, denied }: LoginClient,
  browser: BrowserContext,
): Promise<void> {
  const home = await ClientHome.make(files);
  const calls = async () => {
    const before = (await home.opened()).length;
    const { code, text } = await home.run(call);
    assertEquals(code, 0, text);
    assertMatch(text, called);
    assertEquals((await home.opened()).length, before);
  };

  const first = await home.answer(logIn, "Allow", browser);
  assertEquals(first.code, 0, first.text);
  await calls();
  assert(await home.spoilTokens() > 0, "no token is in the program's files");
  await calls();
  if (logOut !== null) assertEquals(await home.run(logOut).then(({ code }) => code), 0);
  const no = await home.answer(logIn, "Cancel", browser);
  assertMatch(no.text, denied);
  await home.remove();
}
