// Resource templates, which the list of resources does not have: upstreams list them apart, and clients fill them in.
import type { Markup, PageCall } from "../call/page_call.ts";

interface Template {
  readonly id: string;
  readonly uriTemplate: string;
  readonly name: string;
  readonly description: string | null;
  readonly mimeType: string | null;
}

/** A page shows so many; a search finds the others. */
const MOST_SHOWN = 50;

/** Those that fit the search of the page; null: there is none. */
export async function templatesOf({ rest, query }: PageCall): Promise<Markup | null> {
  const asked = new URLSearchParams({ include_inactive: "true" });
  for (const name of ["q", "gateway_id", "tags"]) {
    const value = query.get(name)?.trim();
    if (value !== undefined && value !== "") asked.set(name, value);
  }
  const { resource_templates: templates } = await rest.get<{ resource_templates: Template[] }>(
    `/resources/templates/list?${asked}`,
  );
  if (templates.length === 0) return null;
  const more = templates.length - MOST_SHOWN;
  return (
    <section aria-label="Templates">
      <h2>Templates</h2>
      <p class="soft small">{`${templates.length.toLocaleString("en")} found`}</p>
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>Name</th>
            <th>URI template</th>
            <th>Type</th>
          </tr>
        </thead>
        <tbody>
          {templates.slice(0, MOST_SHOWN).map(({ id, uriTemplate, name, description, mimeType }) => (
            <tr>
              <td>
                <a href={`resources/${id}`}>{name}</a>
                {description !== null && <span class="about">{description}</span>}
              </td>
              <td data-label="URI template" class="long">{uriTemplate}</td>
              <td data-label="Type">{mimeType ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more > 0 && <p class="soft small">{`${more.toLocaleString("en")} more: search for further words.`}</p>}
    </section>
  );
}
