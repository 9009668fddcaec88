// What the groups of an identity provider mean here: the same fields for sign-ins (SSO_PROVIDERS) and for tokens (JWT_ISSUERS).
import * as z from "zod";

export const name = z.string().trim().min(1).max(255);

/** A team by its slug or id, and the role in it: `owner`, `member`, or another role, whose holder is a member. */
export const TEAM_TARGET = z.union([
  name.transform((team) => ({ team, role: "member" })),
  z.strictObject({ team: name, role: name.default("member") }),
]);

/** What the groups of a provider mean here. */
export const GROUP_MAPPING = {
  /** The claim with the groups, or the path to it; several are joined. */
  groups_claim: z.union([name.transform((claim) => [claim]), z.array(name).min(1).max(10)])
    .default(["groups"]),
  /** The team of each group. */
  teams: z.record(z.string(), TEAM_TARGET).default({}),
  /** The role of each group, which counts everywhere. */
  roles: z.record(z.string(), name).default({}),
  /** The groups whose members are administrators. */
  admin_groups: z.array(name).default([]),
};

const MAPPING = z.object(GROUP_MAPPING);

export type GroupMapping = z.infer<typeof MAPPING>;
