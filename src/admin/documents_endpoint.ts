// What this gateway says about itself: /openapi.json, /docs and /. Everybody may read them: they are the same for every gateway of
// this version, and tell nothing of what is registered here.
import { SluiceError } from "../base/errors.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import { peerAddress } from "../base/egress/trusted_proxies.ts";

export const DOCUMENT_PATHS: ReadonlySet<string> = new Set(["/", "/docs", "/openapi.json"]);

/** The path below which a reverse proxy publishes the gateway; null: none. */
export interface Prefixes {
  of(headers: Headers, from: string): string | null;
}

// Loaded on first use, with zod: most workers never need it.
const documents = () => import("./documents.ts");

export class DocumentsEndpoint implements Endpoint {
  readonly name = "documents";
  readonly speaks = "rest";
  readonly open = true;

  constructor(private readonly prefixes: Prefixes) {}

  async serve({ request, path, info }: Exchange): Promise<Response> {
    const { method, headers } = request;
    if (method !== "GET" && method !== "HEAD") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method, allowed: "GET" });
    }
    const prefix = this.prefixes.of(headers, peerAddress(info)) ?? "";
    return await (await documents()).answerDocument(request, path, prefix);
  }
}
