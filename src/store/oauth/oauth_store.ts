// Room `oauth`: what the authorization server keeps. Codes, refresh tokens and secrets are there as hashes. Other rooms use `OAuthStore`
// and the rows.
import type { Database } from "../sql/sql.ts";
import { OAuthClients } from "./oauth_clients.ts";
import { OAuthConsents } from "./oauth_consents.ts";
import { OAuthDevices } from "./oauth_devices.ts";
import { OAuthGrants } from "./oauth_grants.ts";

export interface OAuthStore {
  readonly clients: OAuthClients;
  readonly consents: OAuthConsents;
  readonly grants: OAuthGrants;
  readonly devices: OAuthDevices;
  /** Deletes what has expired. */
  sweep(): Promise<void>;
}

export function createOAuthStore(database: Database, now: () => Date): OAuthStore {
  const clients = new OAuthClients(database, now);
  const consents = new OAuthConsents(database, now);
  const grants = new OAuthGrants(database);
  const devices = new OAuthDevices(database);
  return {
    clients,
    consents,
    grants,
    devices,
    sweep: async () => {
      await clients.sweep();
      await grants.sweep();
      await devices.sweep();
    },
  };
}
