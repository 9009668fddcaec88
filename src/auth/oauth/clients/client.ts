// An OAuth client, however the gateway knows of it.

export interface Client {
  readonly id: string;
  /** As the client calls itself. */
  readonly name: string;
  readonly uri: string | null;
  /** The host whose metadata document describes the client, so that it has proved to be of this host; null: nothing is proved. */
  readonly host: string | null;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
}

export const CODE_GRANT = "authorization_code";
export const REFRESH_GRANT = "refresh_token";
export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
export const GRANT_TYPES: readonly string[] = [CODE_GRANT, REFRESH_GRANT, DEVICE_GRANT];
