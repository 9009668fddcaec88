// Builds the subscription filter for the list changes that an upstream's capabilities promise.
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";
import type { SubscriptionFilter } from "./upstream_channel.ts";

/** The capabilities that promise lists. */
export type ListName = "tools" | "resources" | "prompts";

type ListFilter = Required<Omit<SubscriptionFilter, "resourceSubscriptions" | "taskIds">>;

export function listFilter(capabilities: Readonly<JsonObject>): ListFilter {
  const promises = (list: string) => {
    const capability = capabilities[list];
    return isObject(capability) && capability.listChanged === true;
  };
  return {
    toolsListChanged: promises("tools"),
    promptsListChanged: promises("prompts"),
    resourcesListChanged: promises("resources"),
  };
}

export function isEmpty(filter: ListFilter): boolean {
  return !Object.values(filter).includes(true);
}

/** The notification methods that a filter selects. */
export function methodsIn(filter: SubscriptionFilter): string[] {
  const lists = ["tools", "prompts", "resources"] as const;
  return lists.filter((list) => filter[`${list}ListChanged`]).map((list) =>
    `notifications/${list}/list_changed`
  );
}
