// Assigns unique names to the tools and prompts of one virtual server, and records conflicts.
import type { ServerRow } from "../../store/registry/rows.ts";
import { NameNumbers } from "./tool_name.ts";

/** The shortest name limit of known clients. A registry with longer names is only used by clients that accept them. */
const TAKEN_BY_ALL_CLIENTS = 60;

/** A tool or prompt of the server, as in the registry. */
export interface NamedMember {
  readonly id: string;
  /** Unique in the registry: `{gateway}-{tool}`. */
  readonly name: string;
  readonly originalName: string;
}

/** Two members with the same name, and the resolution. */
export interface NameConflict<Member extends NamedMember = NamedMember> {
  readonly kind: "tool" | "prompt";
  /** The name of both. */
  readonly name: string;
  /** The member that keeps the name. */
  readonly keptBy: Member;
  /** The member that loses the name. */
  readonly renamed: Member;
  /** The new name of that member. */
  readonly renamedTo: string;
}

export interface ScopeNames<Member extends NamedMember> {
  /** By id. */
  readonly toolNames: ReadonlyMap<string, string>;
  readonly promptNames: ReadonlyMap<string, string>;
  readonly conflicts: readonly NameConflict<Member>[];
}

/**
 * Assigns the names that `naming` selects, and the operator's explicit tool names.
 * @param members in list order, including disabled ones, so that enabling them renames nothing
 */
export function nameMembers<Member extends NamedMember>(
  { naming, toolOverrides }: Pick<ServerRow, "naming" | "toolOverrides">,
  { tools, prompts }: { readonly tools: readonly Member[]; readonly prompts: readonly Member[] },
): ScopeNames<Member> {
  const usual = (member: Member) => naming === "original" ? member.originalName : member.name;
  const overrides = new Map(Object.entries(toolOverrides));
  const explicit = ({ id }: Member) => overrides.get(id)?.name;
  const named = {
    tool: share(tools, explicit, usual),
    prompt: share(prompts, () => undefined, usual),
  };
  return {
    toolNames: named.tool.names,
    promptNames: named.prompt.names,
    conflicts: (["tool", "prompt"] as const).flatMap((kind) =>
      named[kind].conflicts.map((conflict) => ({ kind, ...conflict }))
    ),
  };
}

/**
 * Assigns explicit names first, then in list order. A member whose name is taken gets its registry name, with a number if
 * that is taken too.
 */
function share<Member extends NamedMember>(
  members: readonly Member[],
  explicit: (member: Member) => string | undefined,
  usual: (member: Member) => string,
): { names: Map<string, string>; conflicts: Omit<NameConflict<Member>, "kind">[] } {
  const names = new Map<string, string>();
  const owners = new Map<string, Member>();
  const claim = (member: Member, name: string): boolean => {
    if (owners.has(name)) return false;
    owners.set(name, member);
    names.set(member.id, name);
    return true;
  };
  const waiting: { member: Member; preferred: string }[] = [];
  const claimOrWait = (member: Member, name: string) => {
    if (!claim(member, name)) waiting.push({ member, preferred: name });
  };
  for (const member of members) {
    const name = explicit(member);
    if (name !== undefined) claimOrWait(member, name);
  }
  for (const member of members) {
    if (explicit(member) === undefined) claimOrWait(member, usual(member));
  }
  const numbers = new NameNumbers();
  const conflicts = waiting.map(({ member, preferred: name }) => {
    const maxLength = Math.max(member.name.length, TAKEN_BY_ALL_CLIENTS);
    let free = member.name;
    while (!claim(member, free)) free = numbers.next(member.name, maxLength);
    return { name, keptBy: owners.get(name)!, renamed: member, renamedTo: free };
  });
  return { names, conflicts };
}
