// Answers /openapi.json, /docs and /. Each is made once in a worker; answers differ only in the prefix of addresses.
import { type Coding, codingFor, takesHtml } from "../http/representation/accepted.ts";
import { conditionalResponse, type Tagged, textRepresentation } from "../http/representation/conditional.ts";
import { apiDocument } from "./api_document.ts";
import { withServer } from "./openapi/document.ts";
import { docsPage } from "./pages/docs_page.ts";
import { frontJson, frontPage } from "./pages/front_page.ts";
import type { Page } from "./pages/html_page.ts";

interface Document {
  /** The text for a prefix. A prefix has unreserved characters only (RFC 3986), which HTML and JSON need not escape. */
  readonly textAt: (prefix: string) => string;
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Stands for the prefix in a document. */
const MARK = "/@prefix@";

/** A client may keep an answer, and asks whether it is still the same. */
const HEADERS = { "cache-control": "no-cache", "vary": "Accept-Encoding" };

/** `/` answers browsers otherwise than programs. */
const VARIES = { "vary": "Accept, Accept-Encoding" };

const answerOpenApi = answering(() => {
  const [before, after] = JSON.stringify(withServer(apiDocument(), MARK)).split(MARK);
  return ofJson((prefix) => `${before}${prefix === "" ? "/" : prefix}${after}`);
});
const answerDocs = answering(() => docsPage(apiDocument(), MARK).then(ofPage));
const answerProgram = answering(() => ofJson((prefix) => JSON.stringify(frontJson(prefix)), VARIES));
const answerBrowser = answering(() => frontPage(MARK).then((page) => ofPage(page, VARIES)));

/** @param path of `DOCUMENT_PATHS`. @param prefix what the addresses of this gateway begin with; empty: nothing */
export function answerDocument(request: Request, path: string, prefix: string): Promise<Response> {
  if (path === "/openapi.json") return answerOpenApi(request, prefix);
  if (path === "/docs") return answerDocs(request, prefix);
  return takesHtml(request.headers) ? answerBrowser(request, prefix) : answerProgram(request, prefix);
}

/** Makes the document at the first request, and keeps its forms for the prefix of the last request. */
function answering(make: () => Document | Promise<Document>) {
  let made: Promise<Document> | undefined;
  let kept = { prefix: "", forms: new Map<Coding | null, Promise<Tagged>>() };
  return async (request: Request, prefix: string): Promise<Response> => {
    const { textAt, type, headers } = await (made ??= Promise.resolve(make()));
    if (kept.prefix !== prefix) kept = { prefix, forms: new Map() };
    const { forms } = kept;
    const coding = codingFor(request.headers);
    if (!forms.has(coding)) forms.set(coding, textRepresentation(textAt(prefix), coding, "lasting"));
    const form = await forms.get(coding)!;
    return conditionalResponse(request, form, { ...HEADERS, ...headers }, { "content-type": type });
  };
}

function ofJson(textAt: Document["textAt"], headers: Document["headers"] = {}): Document {
  return { textAt, type: "application/json", headers };
}

function ofPage({ text, headers }: Page, more: Document["headers"] = {}): Document {
  return {
    textAt: (prefix) => text.replaceAll(MARK, prefix),
    type: "text/html; charset=utf-8",
    headers: { ...headers, ...more },
  };
}
