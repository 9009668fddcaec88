// Where users are: in the REST API, and among the pages.

/** Of the REST API. */
export const USERS = "/auth/email/admin/users";
/** The pages above that of a user. */
export const CRUMBS = [{ path: "users", label: "Users" }];

export function restPathOf(email: string): string {
  return `${USERS}/${encodeURIComponent(email)}`;
}

export function pagePathOf(email: string): string {
  return `users/${encodeURIComponent(email)}`;
}
