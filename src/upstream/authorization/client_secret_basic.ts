// A client's secret in the Authorization header (RFC 6749, section 2.3.1).
import type * as OAuth from "oauth4webapi";

/**
 * Encodes both parts as a form does (RFC 6749, appendix B), and no more than that: the library also encodes hyphens, dots and underscores,
 * and many authorization servers compare the parts without decoding them.
 */
export function clientSecretBasic(secret: string): OAuth.ClientAuth {
  return (_server, { client_id: id }, _body, headers) =>
    headers.set("authorization", `Basic ${btoa(`${formEncoded(id)}:${formEncoded(secret)}`)}`);
}

function formEncoded(text: string): string {
  return new URLSearchParams({ text }).toString().slice("text=".length);
}
