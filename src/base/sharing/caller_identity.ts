// Who a caller is, for everything that is counted or shared out by caller.

/** Callers without a token share one identity. */
export interface CallerIdentity {
  readonly issuer: string | null;
  readonly subject: string;
}

/** The caller as a key of maps. Subjects are unique only within an issuer. */
export function callerKey({ issuer, subject }: CallerIdentity): string {
  return `${issuer ?? ""}\n${subject}`;
}
