// What tools and prompts are called in one virtual server: each name once, and every conflict on the record.
import type { ServerRow } from "../../store/registry/rows.ts";
import { withSuffix } from "./tool_name.ts";

/** The shortest limit that clients are known to have; a registry that allows itself longer names has clients that take them. */
const TAKEN_BY_ALL_CLIENTS = 60;

/** A tool or prompt of the server, as the registry knows it. */
export interface Nameable {
  readonly id: string;
  /** Unique in the registry: `{gateway}-{tool}`. */
  readonly name: string;
  readonly originalName: string;
}

/** Two that would have one name, and what was done about it. */
export interface NameConflict<Member extends Nameable = Nameable> {
  readonly kind: "tool" | "prompt";
  /** The name that both would have. */
  readonly name: string;
  /** Who has it. */
  readonly keptBy: Member;
  /** Who does not. */
  readonly renamed: Member;
  /** What that one is called instead. */
  readonly renamedTo: string;
}

export interface ScopeNames<Member extends Nameable> {
  /** By id. */
  readonly toolNames: ReadonlyMap<string, string>;
  readonly promptNames: ReadonlyMap<string, string>;
  readonly conflicts: readonly NameConflict<Member>[];
}

/**
 * The names that `naming` wishes for, and the operator's explicit ones for tools.
 * @param members in list order, also those that are switched off: switching them on must rename nobody
 */
export function nameMembers<Member extends Nameable>(
  { naming, toolOverrides }: Pick<ServerRow, "naming" | "toolOverrides">,
  { tools, prompts }: { readonly tools: readonly Member[]; readonly prompts: readonly Member[] },
): ScopeNames<Member> {
  const usual = (member: Member) => naming === "original" ? member.originalName : member.name;
  const explicit = ({ id }: Member) => toolOverrides[id]?.name;
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
 * An explicit name comes first, then the first registered. Who finds the name taken gets its name in the registry, or a
 * number behind that where it is taken too.
 */
function share<Member extends Nameable>(
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
  const late: { member: Member; wish: string }[] = [];
  const wish = (member: Member, name: string) => {
    if (!claim(member, name)) late.push({ member, wish: name });
  };
  for (const member of members) {
    const name = explicit(member);
    if (name !== undefined) wish(member, name);
  }
  for (const member of members) {
    if (explicit(member) === undefined) wish(member, usual(member));
  }
  const conflicts = late.map(({ member, wish: name }) => {
    for (let n = 1; !claim(member, n === 1 ? member.name : numbered(member.name, n)); n++);
    return { name, keptBy: owners.get(name)!, renamed: member, renamedTo: names.get(member.id)! };
  });
  return { names, conflicts };
}

function numbered(name: string, n: number): string {
  return withSuffix(name, `-${n}`, Math.max(name.length, TAKEN_BY_ALL_CLIENTS));
}
