// Room `transfer`: configurations that move from one gateway to another, by the REST API and by `sluice import`. This file has what an
// import brings: rows as the registry would have them, with the ids of the gateway that they come from.
import type { AssignmentRow, MemberRow, RoleRow, TeamRow, UserRow } from "../../store/people/person_rows.ts";
import type { ImportedToken } from "../../store/tokens/api_tokens.ts";
import type { RevokedTokenRow } from "../../store/registry/revoked_tokens.ts";
import type {
  EntryRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  ServerRow,
  ToolRow,
} from "../../store/registry/rows.ts";
import type { Credentials } from "../../upstream/credentials.ts";

export type ItemKind =
  | "gateway"
  | "tool"
  | "resource"
  | "prompt"
  | "server"
  | "user"
  | "team"
  | "member"
  | "role"
  | "assignment"
  | "revocation"
  | "token";

/** Something that an import brings. */
export interface Item<Row> {
  readonly row: Row;
  /** Its name for people. */
  readonly label: string;
  /** Differences from the source, as sentences. */
  readonly notes: readonly string[];
}

export interface GatewayItem extends Item<GatewayRow> {
  /** Not sealed yet: `row.authSecret` is null. */
  readonly credentials: Credentials | null;
  /** Why the credentials of the source are missing; null: they are here, or the source has none. */
  readonly credentialsMissing: string | null;
}

/** An entry of a gateway. Its name is made when its gateway has one. */
export type EntryItem<Row extends EntryRow> = Item<Row>;

export interface TeamItem extends Item<TeamRow> {
  /** Of a personal team: the user's id. */
  readonly personOf: string | null;
}

export interface LeftOut {
  readonly kind: ItemKind | "other";
  readonly label: string;
  readonly reason: string;
}

export interface Bundle {
  readonly gateways: readonly GatewayItem[];
  readonly tools: readonly EntryItem<ToolRow>[];
  readonly resources: readonly EntryItem<ResourceRow>[];
  readonly prompts: readonly EntryItem<PromptRow>[];
  readonly servers: readonly Item<ServerRow>[];
  readonly users: readonly Item<UserRow>[];
  readonly teams: readonly TeamItem[];
  readonly members: readonly Item<MemberRow>[];
  readonly roles: readonly Item<RoleRow>[];
  readonly assignments: readonly Item<AssignmentRow>[];
  /** A `userId` that is empty: the owner is left out. */
  readonly tokens: readonly Item<ImportedToken>[];
  readonly revocations: readonly Item<RevokedTokenRow>[];
  readonly leftOut: readonly LeftOut[];
}

export const NO_PEOPLE: Pick<
  Bundle,
  "users" | "teams" | "members" | "roles" | "assignments" | "tokens" | "revocations"
> = { users: [], teams: [], members: [], roles: [], assignments: [], tokens: [], revocations: [] };
