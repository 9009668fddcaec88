// The life of the tokens of one source. A token that was exchanged for a caller's own does not live longer than that.
import { isDue, isReplaceable, isUsable, type UpstreamToken } from "../upstream_token.ts";
import type { TokenSourceDeps } from "./token_source_deps.ts";

export class TokenLife {
  constructor(private readonly deps: Pick<TokenSourceDeps, "clock" | "subject">) {}

  /** The token that is exchanged has ended, so that nobody may use what it was exchanged for. */
  get isOver(): boolean {
    const { subject, clock } = this.deps;
    return subject !== null && clock.now() >= subject.endsAt;
  }

  isDue(token: UpstreamToken): boolean {
    return !this.#endsWithSubject(token) && isDue(token, this.deps.clock.now());
  }

  /** Would the upstream refuse a new token as well? */
  isFresh(token: UpstreamToken): boolean {
    return !isReplaceable(token, this.deps.clock.now());
  }

  isUsable(token: UpstreamToken): boolean {
    const now = this.deps.clock.now();
    return this.#endsWithSubject(token) ? now < token.expiresAt! : isUsable(token, now);
  }

  /** A new token would end as soon. */
  #endsWithSubject({ expiresAt }: UpstreamToken): boolean {
    return expiresAt !== null && expiresAt >= (this.deps.subject?.endsAt ?? Infinity);
  }
}
