// OAuth clients: those that have registered themselves, and those whose id is the address of their metadata.
import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { OAuthClients } from "../../../store/oauth/oauth_clients.ts";
import { digest } from "../../logins/logins.ts";
import { type Client, GRANT_TYPES } from "./client.ts";
import { type ClientDocuments, isDocumentId } from "./client_documents.ts";

export interface ClientsDeps {
  readonly registered: OAuthClients;
  /** null: OAUTH_CLIENT_METADATA_DOCUMENTS=false. */
  readonly documents: ClientDocuments | null;
}

export class Clients {
  constructor(private readonly deps: ClientsDeps) {}

  /** null: there is no such client. @throws {OAuthFault} invalid_client if its metadata cannot be read */
  async find(id: string): Promise<Client | null> {
    const { documents, registered } = this.deps;
    if (isDocumentId(id)) return documents === null ? null : await documents.read(id);
    const row = await registered.get(id);
    return row === null ? null : { ...row, host: null };
  }

  /**
   * The grants of a client that shows itself at the token endpoint; null: there is no such client, or its secret is wrong. The metadata
   * of a document are not read again: such a client has no secret, and its codes and tokens are bound to its id.
   */
  async authenticate(id: string, secret: string | null): Promise<readonly string[] | null> {
    const { documents, registered } = this.deps;
    if (isDocumentId(id)) return documents === null || secret !== null ? null : GRANT_TYPES;
    const row = await registered.get(id);
    if (row === null) return null;
    const { secretHash, grantTypes } = row;
    if (secretHash === null || secret === null) return secretHash === secret ? grantTypes : null;
    return timingSafeEqual(Buffer.from(digest(secret)), Buffer.from(secretHash)) ? grantTypes : null;
  }
}
