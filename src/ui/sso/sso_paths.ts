// The paths of sign-in at identity providers, as in ContextForge.
export const SSO_PATH = "/auth/sso/";

/** Is the path below SSO_PATH, with /v1 or without it? */
export function isSsoPath(path: string): boolean {
  return path.startsWith(SSO_PATH) || path.startsWith(`/v1${SSO_PATH}`);
}
