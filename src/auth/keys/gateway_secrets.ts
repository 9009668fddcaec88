// The secrets of a running gateway. Plain data, so that they pass to workers.
import type { OwnKeys } from "./own_keys.ts";

export interface GatewaySecrets {
  readonly tokenKeys: OwnKeys;
  /** AUTH_ENCRYPTION_SECRET */
  readonly authEncryptionSecret: string;
}
