// The frame of a page: its head, its style, and the headers that let it load nothing.
import { Html, html } from "./html.ts";
import { STYLE } from "./style.ts";

/** A page with the policy that goes with it. */
export interface Page {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

export async function page(title: string, body: Html): Promise<Page> {
  const { text } = html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>${title}</title>
        <link rel="icon" href="data:,">
        <style>${new Html(STYLE)}</style>
      </head>
      <body>
    ${body}
      </body>
    </html>
  `;
  return { text, headers: { ...HEADERS, "content-security-policy": await policy() } };
}

const HEADERS = {
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Nothing may be loaded or run but this style. */
async function policy(): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(STYLE));
  const hash = new Uint8Array(digest).toBase64();
  return `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; ` +
    "frame-ancestors 'none'";
}
