// What the clients of a virtual server see: the lists that they get, with the names and texts in them.
import type { Markup, PageCall } from "../call/page_call.ts";

interface SeenEntry {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  /** Of a resource. */
  readonly uri?: string;
}

interface SeenKind {
  /** The member of the list's result. */
  readonly key: "tools" | "resources" | "prompts";
  readonly title: string;
  readonly none: string;
}

export const SEEN_KINDS: readonly SeenKind[] = [
  { key: "tools", title: "Tools", none: "No tool." },
  { key: "resources", title: "Resources", none: "No resource." },
  { key: "prompts", title: "Prompts", none: "No prompt." },
];

/** A page shows so many of each kind; the search of the kind's page has all. */
const MOST_SHOWN = 100;

/** The first page of the list, as the viewer gets it at the virtual server. */
export async function seenList({ rpc }: PageCall, serverId: string, kind: SeenKind): Promise<Markup> {
  const { key, title, none } = kind;
  const seen = await rpc(`${key}/list`, { server_id: serverId });
  const entries = "result" in seen ? seen.result[key] as SeenEntry[] : [];
  const isMore = "result" in seen && seen.result.nextCursor !== undefined;
  const more = entries.length - MOST_SHOWN;
  return (
    <section aria-label={title}>
      <h3>
        {title}
        {entries.length > 0 && (
          <span class="soft">{` ${isMore ? "more than " : ""}${entries.length.toLocaleString("en")}`}</span>
        )}
      </h3>
      {"error" in seen && <p class="soft">{seen.error.message}</p>}
      {"result" in seen && entries.length === 0 && <p class="soft">{none}</p>}
      {entries.length > 0 && (
        <table class="cards-on-phone seen">
          <thead>
            <tr>
              <th>{key === "resources" ? "URI" : "Name"}</th>
              <th>Description</th>
            </tr>
          </thead>
          <tbody>
            {entries.slice(0, MOST_SHOWN).map(({ name, title, description, uri }) => (
              <tr>
                <td>
                  <code>{key === "resources" ? uri ?? name : name}</code>
                </td>
                <td class="text" dir="auto">{description ?? title ?? (key === "resources" ? name : "")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {(isMore || more > 0) && (
        <p class="soft small">
          {isMore ? "Clients see further ones." : `Clients see ${more.toLocaleString("en")} more.`}
        </p>
      )}
    </section>
  );
}
