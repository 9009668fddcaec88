// The style sheet and the scripts of the pages, inside the program. Their addresses contain a hash of what they are, so that browsers
// keep them for good and see a new version at once.
import htmx from "htmx.org/dist/htmx.min.js" with { type: "text" };
import htmxEvents from "htmx.org/dist/ext/hx-sse.min.js" with { type: "text" };
import { gzipped, takesGzip } from "../../http/representation/accepted.ts";
import script from "../assets/app.js" with { type: "text" };
import style from "../assets/style.css" with { type: "text" };

interface Asset {
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer>;
}

export interface Assets {
  /** Of the style sheet, relative to `/admin/`. */
  readonly stylePath: string;
  /** In the order in which they run. */
  readonly scriptPaths: readonly string[];
  /** null: there is none of this name. */
  answer(name: string, request: Request): Response | null;
}

export async function loadAssets(): Promise<Assets> {
  const [stylePath, ...scriptPaths] = await Promise.all([
    assetOf("style.css", "text/css; charset=utf-8", style),
    assetOf("htmx.js", "text/javascript; charset=utf-8", htmx),
    assetOf("events.js", "text/javascript; charset=utf-8", htmxEvents),
    assetOf("app.js", "text/javascript; charset=utf-8", script),
  ]);
  const all = new Map([stylePath!, ...scriptPaths]);
  return {
    stylePath: `assets/${stylePath![0]}`,
    scriptPaths: scriptPaths.map(([name]) => `assets/${name}`),
    answer(name, request) {
      const asset = all.get(name);
      if (asset === undefined) return null;
      const isZipped = takesGzip(request);
      return new Response(isZipped ? asset.gzip : asset.plain, {
        headers: {
          "content-type": asset.type,
          "cache-control": "public, max-age=31536000, immutable",
          "x-content-type-options": "nosniff",
          vary: "Accept-Encoding",
          ...(isZipped ? { "content-encoding": "gzip" } : {}),
        },
      });
    },
  };
}

/** The name with the hash, and what it names. */
async function assetOf(name: string, type: string, text: string): Promise<readonly [string, Asset]> {
  const plain = new TextEncoder().encode(text);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", plain)).toHex().slice(0, 12);
  const [stem, extension] = name.split(".");
  return [`${stem}.${hash}.${extension}`, { type, plain, gzip: await gzipped(plain) }];
}
