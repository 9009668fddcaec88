// Chooses members of a virtual server among thousands: what is chosen stays, what is searched for is added to it.
import type { PageHandler } from "../call/page_call.ts";
import type { Rest } from "../call/rest.ts";
import { entryPath } from "../entries/entry.tsx";
import { LATEST, type ListPage, MoreFound, MOST_FOUND } from "../parts/search_list.tsx";

export type MemberKind = "gateways" | "tools" | "resources" | "prompts";

interface Member {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
}

export type ChosenMembers = Readonly<Record<MemberKind, readonly Member[]>>;

/** What a search has found. */
export interface FoundMembers {
  readonly members: readonly Member[];
  /** So many more fit. */
  readonly more: number;
}

/** Above this the list of all is read at once. */
const MOST_BY_ID = 200;

function readPath(kind: MemberKind, id: string): string {
  return kind === "gateways" ? `/gateways/${encodeURIComponent(id)}` : entryPath(kind, id);
}

/** @param values of the form */
export async function readMembers(rest: Rest, values: URLSearchParams): Promise<ChosenMembers> {
  const chosen = async (kind: MemberKind): Promise<Member[]> => {
    const ids = [...new Set(values.getAll(`associated_${kind}`))];
    if (ids.length === 0) return [];
    if (ids.length > MOST_BY_ID) {
      const all = await rest.find<Member[]>(`/${kind}?limit=0&include_inactive=true`) ?? [];
      return all.filter(({ id }) => ids.includes(id));
    }
    const found = await Promise.all(ids.map((id) => rest.find<Member>(readPath(kind, id))));
    return found.filter((member) => member !== null);
  };
  return {
    gateways: await chosen("gateways"),
    tools: await chosen("tools"),
    resources: await chosen("resources"),
    prompts: await chosen("prompts"),
  };
}

/** The first members that fit. An upstream that is off may be a member too. */
export async function findMembers(rest: Rest, kind: MemberKind, words: string): Promise<FoundMembers> {
  const asked = new URLSearchParams({ q: words, per_page: String(MOST_FOUND) });
  if (kind === "gateways") asked.set("include_inactive", "true");
  const found = await rest.find<ListPage<Member>>(`/admin/${kind}?${asked}`);
  if (found === null) return { members: [], more: 0 };
  const { data: members, pagination: { total_items: total } } = found;
  return { members, more: total - members.length };
}

/** @param found what is offered before anything is searched for */
export function Picker({ kind, label, chosen, hint, found }: {
  readonly kind: MemberKind;
  readonly label: string;
  readonly chosen: readonly Member[];
  readonly hint?: string;
  readonly found?: FoundMembers;
}) {
  const id = `pick-${kind}`;
  const noun = kind === "gateways" ? "upstreams" : kind;
  const isChosen = new Set(chosen.map((member) => member.id));
  return (
    <fieldset class="field picker">
      <legend>{label}</legend>
      {hint !== undefined && <span class="hint">{hint}</span>}
      <div data-chosen>
        {chosen.map((member) => <Choice kind={kind} member={member} isChosen />)}
      </div>
      <label class="sr-only" for={id}>{`Search for ${noun} to add`}</label>
      <input
        {...{ id, type: "search", placeholder: `Search for ${noun} to add`, autocomplete: "off" }}
        name="q"
        hx-get={`virtual-servers/pick/${kind}`}
        hx-trigger="input changed delay:200ms, focus once"
        hx-target={`#${id}-found`}
        hx-sync={LATEST}
      />
      <div id={`${id}-found`} aria-live="polite" data-found>
        {found !== undefined && (
          <Found
            kind={kind}
            found={{ ...found, members: found.members.filter((member) => !isChosen.has(member.id)) }}
          />
        )}
      </div>
    </fieldset>
  );
}

function Choice({ kind, member: { id, name, description }, isChosen = false }: {
  readonly kind: MemberKind;
  readonly member: Member;
  readonly isChosen?: boolean;
}) {
  return (
    <label class="choice">
      <input type="checkbox" name={`associated_${kind}`} value={id} checked={isChosen} />
      <span>
        {name}
        {description !== null && <span class="about">{description}</span>}
      </span>
    </label>
  );
}

function Found({ kind, found: { members, more } }: {
  readonly kind: MemberKind;
  readonly found: FoundMembers;
}) {
  return (
    <>
      {members.map((member) => <Choice kind={kind} member={member} />)}
      <MoreFound more={more} />
    </>
  );
}

/** What the search finds: the part of the page below the field. */
export const pickMembers: PageHandler = async ({ rest, params, query }) => {
  const kind = MEMBER_KINDS.find((each) => each === params.kind) ?? "tools";
  const found = await findMembers(rest, kind, query.get("q") ?? "");
  const isNothing = found.members.length === 0;
  return {
    title: "",
    isPart: true,
    body: isNothing ? <p class="soft">Nothing is found.</p> : <Found kind={kind} found={found} />,
  };
};

const MEMBER_KINDS: readonly MemberKind[] = ["gateways", "tools", "resources", "prompts"];
