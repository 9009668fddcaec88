// The manual as pages: the same text as `sluice help`.
import { raw } from "hono/html";
import { parser, type Token, walkTokens } from "marked";
import { SluiceError } from "../../base/errors.ts";
import { loopTurns } from "../../base/sharing/loop_turns.ts";
import { parsePage } from "../../help/page.ts";
import { excerpt, type Found, headingsFirst, searchPage } from "../../help/search.ts";
import { isTopic, readTopic, type TopicName, TOPICS } from "../../help/topics.ts";
import type { PageHandler } from "../call/page_call.ts";
import { PageHead } from "../parts/page_parts.tsx";
import { NothingFound } from "../parts/search_list.tsx";

export const manualPage: PageHandler = async ({ query, viewer }) => {
  const q = (query.get("q") ?? "").slice(0, MOST_CHARS).trim();
  const words = q.split(/\s+/);
  return {
    title: "Manual",
    body: (
      <>
        <PageHead title="Manual" />
        <p class="lead">
          The same pages as <code>sluice help</code>.
        </p>
        <form class="filters" role="search" action="help">
          <label class="sr-only" for="q">Search the manual</label>
          <input
            {...{ id: "q", name: "q", type: "search", value: q, placeholder: "Search the manual" }}
            maxlength={MOST_CHARS}
          />
          <button type="submit">Search</button>
        </form>
        {q === "" ? <Topics /> : <FoundSections found={await searchTopics(words, viewer)} words={words} />}
      </>
    ),
  };
};

function Topics() {
  return (
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
  );
}

/** Only pages with all the words are parsed, and between two of them the event loop is left to others: all take a fraction of a second. */
async function searchTopics(words: readonly string[], reader: unknown): Promise<Found<TopicName>[]> {
  const found: Found<TopicName>[] = [];
  for (const { name } of TOPICS) {
    const text = await readTopic(name);
    const letters = text.toLowerCase();
    if (!words.every((word) => letters.includes(word.toLowerCase()))) continue;
    await loopTurns.next(reader);
    found.push(...searchPage(name, parsePage(text), words));
  }
  return headingsFirst(found, words);
}

/** Of what is searched for. */
const MOST_CHARS = 100;
/** A page shows so many sections; `sluice help --search` has all. */
const MOST_SECTIONS = 50;
const EXCERPT_CHARS = 200;

function FoundSections({ found, words }: {
  readonly found: readonly Found<TopicName>[];
  readonly words: readonly string[];
}) {
  if (found.length === 0) return <NothingFound all="help" />;
  const more = found.length - MOST_SECTIONS;
  return (
    <>
      <p class="soft small" role="status">
        {found.length === 1 ? "1 section" : `${found.length} sections`}
        {more > 0 && `; the first ${MOST_SECTIONS} are shown`}
      </p>
      <ul class="asks">
        {found.slice(0, MOST_SECTIONS).map(({ topic, heading, slug, texts }) => (
          <li>
            <a href={`help/${topic}#${slug}`}>{heading}</a>
            <span class="soft small">{topic}</span>
            {texts.length > 0 && <span class="about small">{excerpt(texts[0]!, words, EXCERPT_CHARS)}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}

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
