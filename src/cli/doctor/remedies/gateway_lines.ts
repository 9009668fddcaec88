// Lines for a shell in the gateway's folder: requests to the gateway, an examination of an upstream, a new secret, and the
// signal to read the settings.
import { shellWord } from "../../../client_config/shell_word.ts";
import type { Config } from "../../../config/schema.ts";
import { localUrl } from "../../command_line/local_url.ts";

/** Where the gateway of this folder serves. */
export type ServingPlace = Pick<Config, "host" | "port" | "ssl">;

/** An upstream as far as a line names it. */
export interface NamedUpstream {
  readonly name: string;
  readonly url: string;
  readonly transport: string;
}

/** Asks the gateway about an upstream, or an entry of another kind, as an administrator. @param name a name or an id */
export function requestLine(
  place: ServingPlace,
  method: "GET" | "POST" | "PUT",
  name: string,
  { kind = "gateways", path = "", body }: {
    readonly kind?: "gateways" | "tools";
    readonly path?: string;
    readonly body?: unknown;
  } = {},
): string {
  const sent = body === undefined
    ? ""
    : ` -H "Content-Type: application/json" -d ${shellWord(JSON.stringify(body))}`;
  const url = `${localUrl(place)}/${kind}/${encodeURIComponent(name).replaceAll("'", "%27")}${path}`;
  return `curl -sX ${method} '${url}' -H "Authorization: Bearer $(sluice token --admin)"${sent}`;
}

/** Shows why an upstream fails. The gateway itself starts a program, and says what became of it. */
export function examineLine(place: ServingPlace, { name, url, transport }: NamedUpstream): string {
  return transport === "STDIO"
    ? requestLine(place, "POST", name, { path: "/tools/refresh" })
    : `sluice doctor --upstream ${shellWord(withoutQuery(url))}`;
}

/**
 * Gives an upstream other credentials of its kind, and with `url` another address, which needs its credentials anew. The words in
 * capitals are the operator's. The kinds without such a line have several fields: the pages show them.
 */
export function credentialsLine(
  place: ServingPlace,
  { name, authType }: { readonly name: string; readonly authType: string | null },
  url?: string,
): { readonly fix: string; readonly remark: string } {
  const fields = CREDENTIAL_FIELDS[authType ?? "bearer"];
  if (fields === undefined) {
    return {
      fix: requestLine(place, "GET", name),
      remark: "shows the upstream with the kind of its credentials; its page under /admin takes others",
    };
  }
  const address = url === undefined ? {} : { url: withoutValues(url) };
  const body = { ...address, auth_type: authType ?? "bearer", ...fields };
  return {
    fix: requestLine(place, "PUT", name, { body }),
    remark: "with the values in place of the words in capitals; its page under /admin takes them too",
  };
}

const CREDENTIAL_FIELDS: Readonly<Record<string, unknown>> = {
  bearer: { auth_token: "TOKEN" },
  basic: { auth_username: "USER", auth_password: "PASSWORD" },
  authheaders: { auth_headers: [{ key: "HEADER", value: "VALUE" }] },
  query_param: { auth_query_param_key: "NAME", auth_query_param_value: "VALUE" },
};

/** Gives a setting a random secret. The last line of .env may lack its end. */
export function secretLine(name: string): string {
  return `printf '\\n%s\\n' "${name}=$(openssl rand -base64 48)" >> .env`;
}

/** Has the gateway at `port` read its settings and certificates again. `ss` names the process that listens there. */
export function reloadLine(port: number): string {
  return `kill -HUP $(ss -Hltnp 'sport = :${port}' | sed 's/.*pid=\\([0-9]*\\).*/\\1/;q')`;
}

/** Queries may hold secrets. */
function withoutQuery(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? url : `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}

/** The URL with a word for each value in its query. A parameter without a name counts as a value. */
function withoutValues(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.search === "") return url;
  parsed.search = parsed.search.slice(1).split("&")
    .map((text) => text.includes("=") ? `${text.slice(0, text.indexOf("="))}=VALUE` : "VALUE").join("&");
  return parsed.href;
}
