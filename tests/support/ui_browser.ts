// A browser on the pages under /admin. What its console and its policy complain of fails the test.
import { assert, assertEquals } from "@std/assert";
import axe from "axe-core/axe.min.js" with { type: "text" };
import { type Browser, chromium, type Page } from "playwright-core";
import { findProgram } from "./programs.ts";

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What else a theme and a narrow window can break. */
const RULES_OF_LOOKS = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"];

/** The theme, the width of the window, and the rules that are checked with them. */
const LOOKS = [["light", 1440, RULES], ["dark", 390, RULES_OF_LOOKS]] as const;

/** Pixels by which the page is wider than the window; the room for a scroll bar is none of them. */
const BEYOND_WINDOW =
  "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)";

/** A page with everything that it loads, as it is sent. */
const MOST_BYTES = 150_000;

/** TCP sends ten segments of 1,460 bytes before the first of them is confirmed: a file of this size takes one round trip. */
const ONE_ROUND_TRIP = 14_600;

/** What the page has loaded, in bytes as they were sent, and what of it the first paint has waited for. */
const LOADED = `(() => {
  const files = performance.getEntriesByType("resource")
    .filter(({ initiatorType }) => ["link", "script", "css", "img"].includes(initiatorType));
  const sizes = [...performance.getEntriesByType("navigation"), ...files].map((each) => each.encodedBodySize);
  const blocking = files.filter((each) => each.renderBlockingStatus === "blocking");
  return {
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    blocking: blocking.map(({ name, encodedBodySize }) => ({ name, bytes: encodedBodySize })),
  };
})()`;

/** More than a page has before its content and in a form. */
const MOST_STOPS = 120;

/** What has the focus: its name, and whether its outline shows it. */
const FOCUS = `(() => {
  const at = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  return {
    name: (at.labels?.[0]?.textContent ?? at.getAttribute("aria-label") ?? at.textContent).trim(),
    isVisible: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && at.getBoundingClientRect().left >= 0,
  };
})()`;

/**
 * A page is seen, and can be clicked, once its deferred scripts have run. A person is slower than they are; a test is not, and would
 * find a button that does not yet ask, or a list that does not yet search.
 */
const HIDDEN_WITHOUT_SCRIPTS = `(() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("html { visibility: hidden }");
  document.adoptedStyleSheets.push(sheet);
  document.addEventListener("DOMContentLoaded", () => setTimeout(() => sheet.replaceSync("")));
})()`;

export class UiBrowser implements AsyncDisposable {
  /** Faults that the pages have caused. */
  readonly faults: string[] = [];

  private constructor(private readonly browser: Browser, readonly page: Page, private readonly url: string) {
    page.on("pageerror", (error) => this.faults.push(String(error)));
    page.on("console", (message) => {
      // A refused form is no fault of the page.
      const text = message.text();
      if (message.type() === "error" && !text.includes("the server responded with a status of 4")) {
        this.faults.push(text);
      }
    });
  }

  /** @param gateway the URL of the gateway */
  static async start(gateway: string): Promise<UiBrowser> {
    const executablePath = findProgram("chromium")!;
    const browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
    // Of a context of its own, so that tests may open further pages in it.
    const context = await browser.newContext();
    await context.addInitScript(HIDDEN_WITHOUT_SCRIPTS);
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    return new UiBrowser(browser, page, `${gateway}/admin`);
  }

  /** @param path relative to `/admin/` */
  async open(path: string): Promise<void> {
    await this.page.goto(`${this.url}/${path}`);
  }

  /**
   * Waits for a text: a click returns before the page that it asks for is there.
   * @param within the selector of what has the text
   */
  async sees(text: string, within = "main"): Promise<void> {
    await this.page.locator(within).filter({ hasText: text }).first().waitFor();
  }

  /** Waits until the browser is there. @param path as `path` tells it */
  async arrives(path: string): Promise<void> {
    await this.page.waitForURL(this.url + path);
  }

  /** Where the browser is, relative to `/admin`. */
  get path(): string {
    return this.page.url().slice(this.url.length);
  }

  /** Resolves with the page that answers: one with navigation, or the refusal. */
  async signInWith(token: string): Promise<void> {
    await this.open("sign-in?token");
    await this.page.getByLabel("Token", { exact: true }).fill(token);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.locator("nav[aria-label=Pages], [role=alert]").first().waitFor({ state: "attached" });
  }

  /** Answers what a button has asked before something is lost. @param label of the button in the dialog */
  async answer(label: string): Promise<void> {
    await this.page.getByRole("alertdialog").getByRole("button", { name: label, exact: true }).click();
  }

  /** The violations of WCAG 2.2 AA in the present page, one line each. @param runOnly tags or names of rules */
  async violations(runOnly: readonly string[]): Promise<string[]> {
    await this.page.evaluate(`self.axe ?? (() => { ${axe} })()`);
    const found = await this.page.evaluate(
      `axe.run({ runOnly: ${JSON.stringify(runOnly)}, resultTypes: ["violations"] })`,
    ) as {
      readonly violations: readonly Violation[];
    };
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`)
    );
  }

  /**
   * Checks the present page as a reader meets it: on a phone and on a desk, in both themes.
   * @param name of the screenshots that are taken if UI_SCREENSHOTS names a folder
   */
  async look(name = this.path): Promise<void> {
    await this.#measure(name);
    for (const [colorScheme, width, rules] of LOOKS) {
      await this.page.setViewportSize({ width, height: 900 });
      // Without transitions, whose colours are of neither theme.
      await this.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      assertEquals(await this.violations(rules), [], `${this.path}, ${colorScheme}`);
    }
    await this.page.setViewportSize({ width: 1440, height: 900 });
  }

  /** Checks that the page is light and fits into windows of each width, without looking at what is in it. @param name as of `look` */
  async measure(name: string): Promise<void> {
    await this.#measure(name);
  }

  /** Presses Tab until this has the focus, which must be visible. @param name of a link, a button or a field */
  async tabTo(name: string): Promise<void> {
    for (let presses = 0; presses < MOST_STOPS; presses++) {
      await this.page.keyboard.press("Tab");
      const focus = await this.page.evaluate(FOCUS) as { readonly name: string; readonly isVisible: boolean };
      if (focus.name !== name) continue;
      assertEquals(focus.isVisible, true, `the focus on ${name} is not visible`);
      return;
    }
    throw new Error(`Tab does not come to ${name} on ${this.path}`);
  }

  async #measure(name: string): Promise<void> {
    // No waitForFunction here: its second look is an eval, which the page's Content-Security-Policy refuses.
    await this.page.waitForLoadState("load");
    await this.#weigh();
    const folder = Deno.env.get("UI_SCREENSHOTS");
    for (const width of [390, 768, 1440]) {
      await this.page.setViewportSize({ width, height: 900 });
      const beyond = await this.page.evaluate(BEYOND_WINDOW);
      assertEquals(beyond, 0, `${this.path} at ${width} pixels is wider than the window`);
      if (folder === undefined) continue;
      for (const colorScheme of ["light", "dark"] as const) {
        await this.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        const file = `${
          name.replaceAll(/[0-9a-f]{32}/g, "id").replaceAll(/[^a-z0-9]+/gi, "_")
        }_${width}_${colorScheme}.png`;
        await this.page.screenshot({ path: `${folder}/${file}`, fullPage: true });
      }
    }
  }

  /** The first paint waits for the page and for one style sheet, which takes one round trip. */
  async #weigh(): Promise<void> {
    const { bytes, blocking } = await this.page.evaluate(LOADED) as {
      readonly bytes: number;
      readonly blocking: readonly { readonly name: string; readonly bytes: number }[];
    };
    assert(bytes < MOST_BYTES, `${this.path} weighs ${bytes} bytes`);
    assertEquals(blocking.map(({ name }) => /\/style\.\w+\.css$/.test(name)), [true], this.path);
    assert(blocking[0]!.bytes <= ONE_ROUND_TRIP, `the style sheet weighs ${blocking[0]!.bytes} bytes`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
  }
}
