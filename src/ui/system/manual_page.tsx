// The manual as pages: the same text as `sluice help`.
import { raw } from "hono/html";
import { parser, type Token, walkTokens } from "marked";
import { SluiceError } from "../../base/errors.ts";
import { parsePage } from "../../help/page.ts";
import { isTopic, readTopic, TOPICS } from "../../help/topics.ts";
import type { PageHandler } from "../call/page_call.ts";
import { PageHead } from "../parts/page_parts.tsx";

export const manualPage: PageHandler = () =>
  Promise.resolve({
    title: "Manual",
    body: (
      <>
        <PageHead title="Manual" />
        <p class="lead">
          The same pages as <code>sluice help</code>.
        </p>
        <dl class="facts">
          {TOPICS.map(({ name, summary }) => (
            <>
              <dt>
                <a href={`help/${name}`}>{name}</a>
              </dt>
              <dd>{summary}</dd>
            </>
          ))}
        </dl>
      </>
    ),
  });

export const topicPage: PageHandler = async ({ params }) => {
  const name = params.topic!;
  if (!isTopic(name)) throw new SluiceError("NOT_FOUND", { what: `The page ${name} of the manual` });
  const { title, blocks, headings } = parsePage(await readTopic(name));
  const shown = blocks.filter((block) => !isTitle(block) && block.type !== "html");
  walkTokens([...shown], (token) => {
    if (token.type === "link") token.href = pageOf(token.href, name);
  });
  const slugs = headings.map(({ slug }) => slug);
  // The title stands above the page already.
  slugs.shift();
  const html = parser(shown).replaceAll(
    /<h([2-6])>/g,
    (_all, depth) => `<h${depth} id="${slugs.shift() ?? ""}">`,
  )
    .replaceAll("<table>", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>')
    .replaceAll("</table>", "</table></div>")
    .replaceAll("<pre>", '<pre tabindex="0">');
  return {
    title,
    body: (
      <>
        <PageHead title={title} crumbs={[{ path: "help", label: "Manual" }]} />
        <div class="prose">{raw(html)}</div>
      </>
    ),
  };
};

function isTitle(block: Token): boolean {
  return block.type === "heading" && block.depth === 1;
}

/** Links between pages of the manual lead to pages here; anchors need the page's own path, as addresses are relative to /admin/. */
function pageOf(href: string, name: string): string {
  if (href.startsWith("#")) return `help/${name}${href}`;
  const other = /^(?:\.\/)?([a-z]+)\.md(#.*)?$/.exec(href);
  return other === null ? href : `help/${other[1]}${other[2] ?? ""}`;
}
