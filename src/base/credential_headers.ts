// Request headers that hold a client's credentials for the gateway. Passing them to upstreams needs the operator's explicit consent.
export const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set(["authorization", "cookie", "set-cookie"]);
