// Asks upstreams for a resource that the endpoint does not list.
import { SluiceError } from "../../base/errors.ts";
import { memberText } from "../../mcp/json_rpc.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "../call/call_context.ts";
import type { ResourceLinks } from "./resource_links.ts";
import { upstreamsFor } from "./unlisted.ts";

/** Upstreams that one request is sent to, one after the other. */
const MAX_ASKED = 8;

export interface UnlistedAnswer {
  readonly gateway: GatewayRow;
  readonly answer: RpcAnswer;
}

/**
 * Sends a request about `uri` to each upstream that may know it, until one answers. The one is noted for the caller's next request.
 * @throws {SluiceError} RESOURCE_NOT_FOUND if no upstream may be asked or knows it; UPSTREAM_* of one that could not be asked
 */
export async function askForUnlisted(
  links: ResourceLinks,
  call: CallContext,
  uri: string,
  ask: (gateway: GatewayRow) => Promise<RpcAnswer>,
): Promise<UnlistedAnswer> {
  const upstreams = upstreamsFor(call, uri, await links.find(call, uri)).slice(0, MAX_ASKED);
  let failure: unknown = new SluiceError("RESOURCE_NOT_FOUND", { uri }, { data: { uri } });
  for (const gateway of upstreams) {
    try {
      const answer = await ask(gateway);
      const isKnown = !answer.failed && !isEmpty(answer);
      if (!isKnown && upstreams.length > 1) continue;
      if (isKnown) await links.note(call, gateway.id, [uri]);
      return { gateway, answer };
    } catch (error) {
      if (call.signal?.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** Some servers answer so for a resource that they do not have. */
function isEmpty({ text }: RpcAnswer): boolean {
  return /^\[\s*\]$/.test(memberText(text, "contents") ?? "");
}
