// Chooses members of a virtual server among thousands: what is chosen stays, what is searched for is added to it.
import type { PageHandler } from "../call/page_call.ts";
import type { Rest } from "../call/rest.ts";
import type { ListPage } from "../parts/search_list.tsx";

export type MemberKind = "tools" | "resources" | "prompts";

interface Member {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
}

export interface ChosenMembers {
  /** All there are. */
  readonly upstreams: readonly Member[];
  readonly tools: readonly Member[];
  readonly resources: readonly Member[];
  readonly prompts: readonly Member[];
}

/** Above this the list of all is read at once. */
const MOST_BY_ID = 200;

/** The read of an entry that asks no upstream. */
function readPath(kind: MemberKind, id: string): string {
  const path = `/${kind}/${encodeURIComponent(id)}`;
  return kind === "resources" ? `${path}/info` : path;
}

/** @param values of the form */
export async function readMembers(rest: Rest, values: URLSearchParams): Promise<ChosenMembers> {
  const chosen = async (kind: MemberKind): Promise<Member[]> => {
    const ids = [...new Set(values.getAll(`associated_${kind}`))];
    if (ids.length === 0) return [];
    // The read of one prompt asks its upstream.
    if (kind === "prompts" || ids.length > MOST_BY_ID) {
      const all = await rest.find<Member[]>(`/${kind}?limit=0&include_inactive=true`) ?? [];
      return all.filter(({ id }) => ids.includes(id));
    }
    const found = await Promise.all(ids.map((id) => rest.find<Member>(readPath(kind, id))));
    return found.filter((member) => member !== null);
  };
  return {
    upstreams: await rest.find<Member[]>("/gateways?limit=0&include_inactive=true") ?? [],
    tools: await chosen("tools"),
    resources: await chosen("resources"),
    prompts: await chosen("prompts"),
  };
}

export function Picker({ kind, label, chosen }: {
  readonly kind: MemberKind;
  readonly label: string;
  readonly chosen: readonly Member[];
}) {
  const id = `pick-${kind}`;
  return (
    <fieldset class="field picker">
      <legend>{label}</legend>
      <div data-chosen>
        {chosen.map((member) => <Choice kind={kind} member={member} isChosen />)}
      </div>
      <label class="sr-only" for={id}>{`Search for ${kind} to add`}</label>
      <input
        {...{ id, type: "search", placeholder: `Search for ${kind} to add`, autocomplete: "off" }}
        name="q"
        hx-get={`virtual-servers/pick/${kind}`}
        hx-trigger="input changed delay:200ms, focus once"
        hx-target={`#${id}-found`}
      />
      <div id={`${id}-found`} class="picked" aria-live="polite" data-found />
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

const MOST_FOUND = 20;

/** What the search finds: the part of the page below the field. */
export const pickMembers: PageHandler = async ({ rest, params, query }) => {
  const kind = MEMBER_KINDS.find((each) => each === params.kind) ?? "tools";
  const asked = new URLSearchParams({ q: query.get("q") ?? "", per_page: String(MOST_FOUND) });
  const { data, pagination } = await rest.get<ListPage<Member>>(`/admin/${kind}?${asked}`);
  const more = pagination.total_items - data.length;
  return {
    title: "",
    isPart: true,
    body: (
      <>
        {data.map((member) => <Choice kind={kind} member={member} />)}
        {data.length === 0 && <p class="soft">Nothing is found.</p>}
        {more > 0 && (
          <p class="soft small">{`${more.toLocaleString("en")} more: search for further words.`}</p>
        )}
      </>
    ),
  };
};

const MEMBER_KINDS: readonly MemberKind[] = ["tools", "resources", "prompts"];
