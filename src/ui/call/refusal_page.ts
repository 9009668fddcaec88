// What people see of a gateway that refuses them by its own limits. The answers are built once: a refusal must cost less than it saves.
import { SluiceError } from "../../base/errors.ts";
import { errorHeaders } from "../../http/error_response.ts";
import type { RefusalCode } from "../../http/refusal.ts";

interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly part: string;
  readonly page: string;
}

const REFUSALS: Readonly<Record<RefusalCode, Refusal>> = {
  OVERLOADED: refusal("OVERLOADED", "The gateway is overloaded, and nothing was done."),
  TOO_MANY_STREAMS: refusal(
    "TOO_MANY_STREAMS",
    "The gateway is overloaded: it has as many event streams open as MAX_STREAMS allows.",
  ),
};

export function pageRefusal(code: RefusalCode, isPart: boolean): Response {
  const { status, headers, part, page } = REFUSALS[code];
  return new Response(isPart ? part : page, { status, headers });
}

function refusal(code: RefusalCode, words: string): Refusal {
  const error = new SluiceError(code);
  const part = `<p>${words}</p>`;
  return {
    status: error.row.http,
    headers: {
      ...errorHeaders(error),
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
    },
    part,
    page:
      `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
      `<meta name="color-scheme" content="light dark"><title>The gateway is overloaded · Sluice</title>` +
      `<h1>The gateway is overloaded</h1>${part}<p>Wait a moment, then reload this page. A form is sent again.</p></html>`,
  };
}
