// The paths of sign-in at identity providers, as in ContextForge.
export const SSO_PATH = "/auth/sso/";

/** Is the path below SSO_PATH, with /v1 or without it, and none of the REST API? */
export function isSsoPath(path: string): boolean {
  const plain = path.replace(/^\/v1(?=\/)/, "");
  return plain.startsWith(SSO_PATH) && !/^(admin|pending-approvals)(\/|$)/.test(plain.slice(SSO_PATH.length));
}
