// What the requests of an upstream have whose credentials are references to secrets: the secrets as they are at the moment.
import type { Authorization } from "./authorization/upstream_logins.ts";
import { authOf, authorizedUrl, awsKeysIn, type Credentials } from "./credentials.ts";
import { secretsOf, SignedClient } from "./identity/aws_signature.ts";
import type { CertifiedClients } from "./identity/certified_clients.ts";
import { ReferencedClient } from "./identity/referenced_client.ts";
import type { CurrentSecrets } from "./identity/named_secrets.ts";
import type { Handshake, Handshakes } from "./websocket/websocket_channel.ts";

/** @param login undefined: the upstream wants none */
export function referencedLogin(
  written: Credentials,
  source: CurrentSecrets<Credentials>,
  { origin, certified, login }: {
    readonly origin: string;
    readonly certified: CertifiedClients;
    readonly login: Authorization | undefined;
  },
): Authorization {
  return {
    over: (client) => {
      const own = new ReferencedClient<Credentials>({
        source,
        origin,
        written: authOf(written),
        carriedOf: authOf,
        clientOf: (value) => {
          const below = certified.over(value.certificate ?? null, undefined)?.over(client) ?? client;
          const keys = awsKeysIn(value);
          return keys === null ? below : new SignedClient(below, origin, keys);
        },
        // AWS answers 403 to keys that have expired.
        isRefusal: (status) => status === 401 || status === 403 && written.type === "aws_sigv4",
      });
      return login?.over(own) ?? own;
    },
    secretsOf: (headers) => {
      const { known } = source;
      const { headers: own, query } = known === null ? { headers: [], query: [] } : authOf(known);
      // Servers repeat the address too.
      const encoded = query.map(([name, value]) => [name, encodedValue(value)] as const);
      const keys = awsKeysIn(known);
      const ofKeys = keys === null ? [] : secretsOf(keys);
      return [...own, ...query, ...encoded, ...ofKeys, ...login?.secretsOf(headers) ?? []];
    },
    owner: login?.owner ?? null,
  };
}

/** @param url of the registration */
export function referencedHandshakes(url: string, source: CurrentSecrets<Credentials>): Handshakes {
  const values = new WeakMap<Handshake, Credentials>();
  const handshakeOf = (value: Credentials): Handshake => {
    const auth = authOf(value);
    const handshake = { url: authorizedUrl(url, auth), headers: auth.headers };
    values.set(handshake, value);
    return handshake;
  };
  return {
    current: async () => handshakeOf(await source.current()),
    afterRefusal: async (used) => {
      const next = await source.afterRefusal(values.get(used)!);
      return next === null ? null : handshakeOf(next);
    },
  };
}

/** As it stands in an address. */
function encodedValue(value: string): string {
  return new URLSearchParams({ "": value }).toString().slice(1);
}
