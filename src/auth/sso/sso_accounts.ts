// Which user somebody is whom a provider has identified, and what the groups there give. Each refusal says what to do.
import type { GivenRights, GivenRole } from "../../store/people/given_rights.ts";
import type { MemberLimits } from "../../store/people/teams.ts";
import type { UserRow } from "../../store/people/person_rows.ts";
import type { Identity } from "../../store/people/sso_sessions.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import type { SsoProvider } from "../../config/sso_providers.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { Log } from "../../telemetry/log.ts";
import {
  claimAt,
  groupsOf,
  leavesGroupsOut,
  type Mapped,
  mapped,
  mapsGroups,
  verifiedEmail,
} from "./person_claims.ts";
import type { Identified } from "./provider.ts";

export interface AccountsDeps {
  readonly store: Pick<Registry, "people" | "transaction">;
  readonly log: Log;
  /** The names of the built-in roles. */
  readonly builtInRoles: ReadonlySet<string>;
  /** PLATFORM_ADMIN_EMAIL: always an administrator, also without a record. */
  readonly platformAdminEmail: string;
  /** SSO_REQUIRE_ADMIN_APPROVAL */
  readonly requireApproval: boolean;
  readonly limitsOf: (maxMembers: number | null) => MemberLimits;
}

export interface Found {
  readonly user: UserRow;
  /** Do workers have to read users, teams and roles again? */
  readonly hasChanged: boolean;
}

export class SsoAccounts {
  constructor(private readonly deps: AccountsDeps) {}

  /** @throws {SluiceError} SSO_REFUSED */
  async userOf(provider: SsoProvider, person: Identified): Promise<Found> {
    const { people } = this.deps.store;
    const { claims, subject } = person;
    const refuse = refusalOf(provider);
    const email = verifiedEmail(claims, provider);
    const domain = email?.slice(email.lastIndexOf("@") + 1);
    if (provider.trusted_domains.length > 0 && !provider.trusted_domains.includes(domain ?? "")) {
      throw refuse(
        domain === undefined
          ? "it gives no verified email address, and only some domains may sign in here (SSO_TRUSTED_DOMAINS)"
          : `addresses of ${domain} may not sign in here (SSO_TRUSTED_DOMAINS). Use another account, or ask an administrator`,
      );
    }
    if (mapsGroups(provider) && leavesGroupsOut(claims, provider)) {
      throw refuse(
        "it left your groups out, because you are in more than 200. Its administrator can let it send only the groups that are " +
          "assigned to this application, or app roles (the claim `roles`)",
      );
    }
    await people.sso.adopt(provider.id, provider.issuer);
    const known = await people.sso.userOf(identityOf(provider, subject));
    const user = known ?? await this.#firstSignIn(provider, person, email);
    if (!user.isActive) {
      throw refuse(
        "your account here is not active. Ask an administrator of this gateway to activate it",
      );
    }
    const hasChanged = await this.#giveRights(provider, user, claims, domain);
    return { user, hasChanged: hasChanged || known === null };
  }

  /** An account that exists is taken only if the provider is allowed to, and has verified the address. */
  async #firstSignIn(
    provider: SsoProvider,
    { subject, claims }: Identified,
    email: string | null,
  ): Promise<UserRow> {
    const { store, platformAdminEmail, requireApproval, log } = this.deps;
    const refuse = refusalOf(provider);
    if (email === null) {
      throw refuse(
        `it gives no verified email address (the claim ${provider.email_claim}, with email_verified). Verify your address there, ` +
          "or let the operator trust it (trust_email)",
      );
    }
    const existing = await store.people.users.get(email);
    if ((existing !== null || email === platformAdminEmail.toLowerCase()) && !provider.link_accounts) {
      throw refuse(
        `an account with the address ${email} exists here already, and sign-ins do not take accounts over. Log in as before, ` +
          "or let the operator allow it (link_accounts)",
      );
    }
    if (existing === null && !provider.create_users) {
      throw refuse(
        `there is no account with the address ${email}. Ask an administrator of this gateway for one`,
      );
    }
    try {
      const made = await store.transaction(async ({ people }) => {
        if (existing !== null && await people.sso.isTaken(identityOf(provider, subject), existing.id)) {
          throw refuse(
            `another person there signs in to the account with the address ${email} already. If the address is yours now, ask an ` +
              "administrator of this gateway to delete that account",
          );
        }
        const user = existing ?? await people.users.insert({
          ...{ email, fullName: nameOf(claims), passwordHash: null, isAdmin: false },
          ...{ isActive: !requireApproval, passwordChangeRequired: false },
        });
        await people.sso.identify(identityOf(provider, subject), user.id);
        return user;
      });
      log.info("first sign-in", { provider: provider.id, email, accountExisted: existing !== null });
      return made;
    } catch (error) {
      // The same person has signed in twice at the same time.
      const meanwhile = isError(error, "CONFLICT")
        ? await store.people.sso.userOf(identityOf(provider, subject))
        : null;
      if (meanwhile === null) throw error;
      return meanwhile;
    }
  }

  async #giveRights(
    provider: SsoProvider,
    user: UserRow,
    claims: Identified["claims"],
    domain: string | undefined,
  ): Promise<boolean> {
    const { store: { people }, log, limitsOf } = this.deps;
    const of = mapped(groupsOf(claims, provider), provider);
    const isAdmin = of.isAdmin || (domain !== undefined && provider.admin_domains.includes(domain));
    const { given, unknownRoles } = this.#given({ ...of, isAdmin }, provider, await this.#roleIds());
    const set = await people.setGivenRights({
      userId: user.id,
      source: `sso:${provider.id}`,
      given,
      limitsOf,
    });
    const { unknownTeams, fullTeams } = set;
    if (unknownTeams.length + fullTeams.length + unknownRoles.length > 0) {
      log.warning("a sign-in gave less than its groups name", {
        ...{ provider: provider.id, email: user.email, unknownTeams, unknownRoles, fullTeams },
      });
    }
    return set.hasChanged;
  }

  #given(
    { isAdmin, teams, roles }: Mapped,
    { default_role }: SsoProvider,
    ids: ReadonlyMap<string, string>,
  ): { given: GivenRights; unknownRoles: string[] } {
    const isMembership = (role: string) => role === "owner" || role === "member";
    const hasRole = isAdmin || roles.length > 0;
    const named = [
      ...(isAdmin ? ["platform_admin"] : []),
      ...roles,
      ...(hasRole || default_role === null ? [] : [default_role]),
    ].map((role) => ({ role, team: null as string | null }));
    const inTeams = teams.filter(({ role }) => !isMembership(role));
    const all = [...named, ...inTeams];
    return {
      given: {
        memberships: teams.map(({ team, role }) => ({ team, role: role === "owner" ? "owner" : "member" })),
        roles: all.flatMap(({ role, team }): GivenRole[] => {
          const roleId = ids.get(role);
          return roleId === undefined ? [] : [{ roleId, team }];
        }),
      },
      unknownRoles: all.map(({ role }) => role).filter((role) => !ids.has(role)),
    };
  }

  /** The ids of roles by their names and ids; a built-in role's name is its id. */
  async #roleIds(): Promise<Map<string, string>> {
    const { builtInRoles, store } = this.deps;
    const custom = await store.people.roles.list();
    return new Map([
      ...custom.flatMap(({ id, name }): [string, string][] => [[id, id], [name, id]]),
      ...[...builtInRoles].map((name): [string, string] => [name, name]),
    ]);
  }
}

/** The issuer and the subject are who somebody is: the id of a provider can come to name another one. */
function identityOf({ id, issuer }: SsoProvider, subject: string): Identity {
  return { issuer, subject, provider: id };
}

function refusalOf({ display_name }: SsoProvider): (reason: string) => SluiceError {
  return (reason) => new SluiceError("SSO_REFUSED", { provider: display_name, reason });
}

function nameOf(claims: Identified["claims"]): string | null {
  const name = claimAt(claims, "name");
  if (typeof name !== "string") return null;
  const text = name.replaceAll(/\p{Cc}/gu, "").trim().slice(0, 255);
  return text === "" || !text.isWellFormed() ? null : text;
}
