// The description of the whole API as data. Loaded on first use, with zod.
import { type OpenApi, openApiDocument } from "./openapi/document.ts";
import { ROUTES } from "./routes.ts";

/** The OpenAPI document of this program. */
export function apiDocument(): OpenApi {
  return openApiDocument(ROUTES);
}
