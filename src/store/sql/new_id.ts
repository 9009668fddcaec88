/** A new id of 32 hex digits, as in ContextForge. */
export function newId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
