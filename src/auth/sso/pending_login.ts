// A sign-in between its start and its end: in a sealed cookie of the browser that started it, so that the gateway keeps nothing for
// strangers, and that nobody can end the sign-in of another browser.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { Binding } from "./provider.ts";

export interface PendingLogin extends Binding {
  /** The path of this gateway to go to afterwards. */
  readonly next: string;
  /** The end is answered with the token as JSON, also in a browser. */
  readonly wantsToken: boolean;
  /** ms since the epoch. */
  readonly startedAt: number;
}

export interface PendingLoginsDeps {
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  /** SSO_LOGIN_TIMEOUT */
  readonly timeoutMs: number;
}

const PREFIX = "sluice_sso_";

/** Sign-ins that one browser has under way, in several tabs. A further one drops them. */
const MAX_PENDING = 5;

/** A cookie to set. */
export interface SetCookie {
  readonly name: string;
  /** "": the browser is to forget it. */
  readonly value: string;
  readonly maxAgeS: number;
}

export class PendingLogins {
  constructor(private readonly deps: PendingLoginsDeps) {}

  /** @param present the cookies of the browser */
  async begin(
    provider: string,
    login: Omit<PendingLogin, "startedAt">,
    present: ReadonlyMap<string, string>,
  ): Promise<SetCookie[]> {
    const { secretBox, clock, timeoutMs } = this.deps;
    const text = JSON.stringify({ ...login, startedAt: clock.now() });
    const value = await secretBox.seal(text, ownerOf(provider));
    const others = [...present.keys()].filter((name) => name.startsWith(PREFIX));
    return [
      { name: nameOf(login.state), value, maxAgeS: Math.ceil(timeoutMs / 1000) },
      ...(others.length < MAX_PENDING ? [] : others.map(forget)),
    ];
  }

  /**
   * The sign-in that an answer of the provider belongs to.
   * @throws {SluiceError} SSO_START_AGAIN if this browser has not started it here, or it took too long
   */
  async find(
    provider: string,
    state: string | null,
    present: ReadonlyMap<string, string>,
  ): Promise<PendingLogin> {
    const { secretBox, clock, timeoutMs } = this.deps;
    const sealed = state === null ? undefined : present.get(nameOf(state));
    if (sealed === undefined) {
      throw startAgain(
        "this browser has none under way, or it takes no cookies, or it took too long (SSO_LOGIN_TIMEOUT)",
      );
    }
    let login: PendingLogin;
    try {
      login = JSON.parse(await secretBox.open(sealed, ownerOf(provider)));
    } catch {
      throw startAgain("it was started at another provider, or its cookie is damaged");
    }
    if (login.state !== state) throw startAgain("the answer belongs to another sign-in");
    const ageMs = clock.now() - login.startedAt;
    if (!(ageMs < timeoutMs)) throw startAgain("it took too long (SSO_LOGIN_TIMEOUT)");
    return login;
  }

  /** The cookie of a sign-in that has ended. */
  ended(state: string): SetCookie {
    return forget(nameOf(state));
  }
}

export function startAgain(reason: string): SluiceError {
  return new SluiceError("SSO_START_AGAIN", { reason });
}

function forget(name: string): SetCookie {
  return { name, value: "", maxAgeS: 0 };
}

function ownerOf(provider: string): string {
  return `sign-in:${provider}`;
}

/** Part of the state is enough to tell the sign-ins of one browser apart. */
function nameOf(state: string): string {
  return PREFIX + state.replaceAll(/[^A-Za-z0-9_-]/g, "").slice(0, 16);
}
