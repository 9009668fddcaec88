// The result of a tool as a person reads it: texts, images, sounds, links, structured content.
import { Badge } from "../parts/page_parts.tsx";

interface Content {
  readonly type: string;
  readonly text?: string;
  /** base64 */
  readonly data?: string;
  readonly mimeType?: string;
  readonly uri?: string;
  readonly name?: string;
  readonly resource?: { readonly uri?: string; readonly text?: string; readonly mimeType?: string };
}

export interface ToolResult {
  readonly content?: readonly Content[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
}

export function ToolResultView(
  { result, elapsedMs }: { readonly result: ToolResult; readonly elapsedMs: number },
) {
  const { content = [], structuredContent, isError = false } = result;
  return (
    <>
      <p>
        <Badge mood={isError ? "bad" : "good"} label={isError ? "the tool reports an error" : "done"} />{" "}
        <span class="soft small">{`${elapsedMs} ms`}</span>
      </p>
      {content.map((each) => <ContentView content={each} />)}
      {structuredContent !== undefined && (
        <>
          <h3>Structured content</h3>
          <pre tabindex={0}>{JSON.stringify(structuredContent, null, 2)}</pre>
        </>
      )}
      <details>
        <summary>The result as JSON</summary>
        <pre tabindex={0}>{JSON.stringify(result, null, 2)}</pre>
      </details>
    </>
  );
}

const IMAGES = /^image\/(png|jpeg|gif|webp|avif)$/;
const SOUNDS = /^audio\/[a-z0-9.+-]+$/;

function ContentView({ content }: { readonly content: Content }) {
  const { type, text, data, mimeType = "", uri, name, resource } = content;
  if (type === "text") return <pre class="diff" tabindex={0}>{text}</pre>;
  if (type === "image" && data !== undefined && IMAGES.test(mimeType)) {
    return <img src={`data:${mimeType};base64,${data}`} alt="An image that the tool returned" />;
  }
  if (type === "audio" && data !== undefined && SOUNDS.test(mimeType)) {
    return <audio controls src={`data:${mimeType};base64,${data}`} />;
  }
  // An address of an upstream's is shown and not linked: it may lead anywhere.
  if (type === "resource_link") {
    return (
      <p>
        Resource {name}: <code>{uri}</code>
      </p>
    );
  }
  if (type === "resource") {
    return (
      <>
        <p>
          Resource <code>{resource?.uri}</code>
        </p>
        {resource?.text !== undefined && <pre class="diff" tabindex={0}>{resource.text}</pre>}
      </>
    );
  }
  return <pre tabindex={0}>{JSON.stringify(content, null, 2)}</pre>;
}
