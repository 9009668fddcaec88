// The style sheet and the scripts of the pages, inside the program. Their addresses contain a hash of what they are, so that browsers
// keep them for good and see a new version at once.
import { SluiceError } from "../../base/errors.ts";
import htmx from "htmx.org/dist/htmx.min.js" with { type: "text" };
import htmxEvents from "htmx.org/dist/ext/hx-sse.min.js" with { type: "text" };
import { type Coding, codingFor } from "../../http/representation/accepted.ts";
import { type Compressed, compressed } from "../../http/representation/compressed.ts";
import script from "../assets/app.js" with { type: "text" };
import style from "../assets/style.css" with { type: "text" };
import theme from "../assets/theme.js" with { type: "text" };

interface Asset {
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  /** Its forms that were asked for. */
  readonly forms: Map<Coding | null, Promise<Compressed>>;
  /** The hash as browsers compare it: CSP level 3, section 2.3.1. */
  readonly integrity: string;
}

export interface Script {
  /** Relative to `/admin/`. */
  readonly path: string;
  readonly integrity: string;
}

/** A script that is a part of each page. */
export interface InlineScript {
  readonly text: string;
  readonly integrity: string;
}

export interface Assets {
  /** Sets the theme that the reader has chosen, before the first paint. */
  readonly theme: InlineScript;
  /** Of the style sheet, relative to `/admin/`. */
  readonly stylePath: string;
  /** In the order in which they run. */
  readonly scripts: readonly Script[];
  /** @throws {SluiceError} NOT_FOUND */
  answer(name: string, request: Request): Promise<Response>;
}

export async function loadAssets(): Promise<Assets> {
  const [styleSheet, ...scripts] = await Promise.all([
    assetOf("style.css", "text/css; charset=utf-8", style),
    // One file: htmx looks at the page once, in its next task, and an extension that arrives later opens no event stream.
    assetOf("htmx.js", "text/javascript; charset=utf-8", `${htmx}\n${htmxEvents}`),
    assetOf("app.js", "text/javascript; charset=utf-8", script),
  ]);
  const all = new Map([styleSheet!, ...scripts]);
  return {
    theme: { text: theme, integrity: integrityOf(await hashOf(theme)) },
    stylePath: `assets/${styleSheet![0]}`,
    scripts: scripts.map(([name, { integrity }]) => ({ path: `assets/${name}`, integrity })),
    async answer(name, request) {
      const asset = all.get(name);
      if (asset === undefined) throw new SluiceError("NOT_FOUND", { what: "Path" });
      const { plain, forms, type } = asset;
      const wanted = codingFor(request.headers);
      if (!forms.has(wanted)) forms.set(wanted, compressed(plain, wanted, "lasting"));
      const { bytes, coding } = await forms.get(wanted)!;
      return new Response(bytes, {
        headers: {
          "content-type": type,
          "cache-control": "public, max-age=31536000, immutable",
          "x-content-type-options": "nosniff",
          vary: "Accept-Encoding",
          ...(coding === null ? {} : { "content-encoding": coding }),
        },
      });
    },
  };
}

/** The name with the hash, and what it names. */
async function assetOf(name: string, type: string, text: string): Promise<readonly [string, Asset]> {
  const plain = new TextEncoder().encode(text);
  const hash = await hashOf(text);
  const [stem, extension] = name.split(".");
  const asset = { type, plain, forms: new Map(), integrity: integrityOf(hash) };
  return [`${stem}.${hash.toHex().slice(0, 12)}.${extension}`, asset];
}

async function hashOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function integrityOf(hash: Uint8Array): string {
  return `sha256-${hash.toBase64()}`;
}
