/** What the REST API says of a virtual server, as far as pages show it. */
export interface VirtualServer {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly enabled: boolean;
  readonly visibility: string;
  readonly naming: "prefixed" | "original";
  readonly instructions: string | null;
  readonly revisions: string | readonly string[];
  readonly conflicts: readonly {
    readonly kind: string;
    readonly name: string;
    readonly renamedTo?: string;
  }[];
  readonly associatedTools: readonly string[];
  readonly associatedToolIds: readonly string[];
  readonly associatedResources: readonly string[];
  readonly associatedPrompts: readonly string[];
  readonly associatedGateways: readonly string[];
  readonly associatedGatewayIds: readonly string[];
  readonly associatedTags: readonly string[];
  readonly excluded: readonly string[];
}
