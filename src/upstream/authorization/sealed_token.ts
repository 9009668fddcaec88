// Tokens for upstreams as text that the database keeps, sealed for their upstream and owner.
import type { SecretBox } from "../../store/secret_box.ts";
import type { TokenKey } from "../../store/upstream_tokens/upstream_tokens.ts";
import type { UpstreamToken } from "./upstream_token.ts";

export async function sealToken(secretBox: SecretBox, token: UpstreamToken, key: TokenKey): Promise<string> {
  return await secretBox.seal(JSON.stringify(token), ownerOf(key));
}

/** The owner name under which SecretBox seals a token. */
function ownerOf({ gatewayId, owner }: TokenKey): string {
  return `upstream-token:${gatewayId}:${owner}`;
}

/** null: it was sealed with another AUTH_ENCRYPTION_SECRET. */
export async function openToken(
  secretBox: SecretBox,
  sealed: string,
  key: TokenKey,
): Promise<UpstreamToken | null> {
  try {
    return JSON.parse(await secretBox.open(sealed, ownerOf(key))) as UpstreamToken;
  } catch {
    return null;
  }
}
