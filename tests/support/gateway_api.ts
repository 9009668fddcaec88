// The requests that tests make of a gateway's REST API, be it one process or a cluster.

/** What a request got: the body parsed where it is JSON, else its text; null where empty. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- tests read into answers of every shape; what they read is asserted.
  readonly body: any;
}

/** `body` is sent as JSON; without a bearer where it is null. */
export async function askApi(
  url: string,
  { method, body, bearer, client }: {
    readonly method: string;
    readonly body: unknown;
    readonly bearer: string | null;
    readonly client: Deno.HttpClient | undefined;
  },
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    client,
    headers: {
      ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parsed(text) };
}

/** Registers an upstream MCP server; `more` goes into the body. @returns the gateway as the API shows it */
export async function registerUpstream(
  api: (method: string, path: string, body: unknown) => Promise<Answer>,
  name: string,
  url: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Answer["body"]> {
  const { status, body } = await api("POST", "/gateways", {
    ...{ name, url, transport: "STREAMABLEHTTP" },
    ...more,
  });
  if (status !== 200 && status !== 201) {
    throw new Error(`Registering ${name} was answered ${status}: ${JSON.stringify(body)}`);
  }
  return body;
}

function parsed(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
