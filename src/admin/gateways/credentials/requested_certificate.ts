// Reads `client_cert` and `client_key` from a request: what the gateway presents to an upstream in TLS.
import type { Credentials } from "../../../upstream/credentials.ts";
import {
  CertificateFault,
  checkedCertificate,
  type ClientCertificate,
} from "../../../upstream/identity/client_certificate.ts";
import { referencesIn } from "../../../upstream/identity/secret_references.ts";
import { type Fault, fault } from "../../rest/faults.ts";
import { type GatewayInput, MASK } from "../../rest/schemas.ts";
import { NONE_STORED } from "./masked_secrets.ts";
import type { Place } from "../gateway_place.ts";

/** Does the request change the pair? A mask alone does not. */
export function mentionsCertificate({ client_cert: cert, client_key: key }: GatewayInput): boolean {
  return cert !== undefined || (key !== undefined && key !== MASK);
}

/**
 * @param kept the stored credentials, for whose key a mask stands. They also stand for fields that the request does not have
 * @returns null with `client_cert: null`, which ends the use of both
 */
export function requestedCertificate(
  { client_cert: cert, client_key: key }: GatewayInput,
  kept: Credentials | null,
  { transport, url }: Pick<Place, "transport" | "url">,
): { readonly certificate: ClientCertificate | null; readonly faults: readonly Fault[] } {
  const old = kept?.certificate;
  const givenKey = key === undefined || key === MASK ? old?.key : key ?? undefined;
  const givenCert = cert === undefined ? old?.cert : cert ?? undefined;
  if (cert === null || (givenCert === undefined && givenKey === undefined)) {
    return key === MASK && cert !== null
      ? refused("client_key", NONE_STORED)
      : { certificate: null, faults: [] };
  }
  if (givenCert === undefined) return refused("client_cert", "Field required with client_key", "missing");
  if (givenKey === undefined) return refused("client_key", "Field required with client_cert", "missing");
  if (transport === "WEBSOCKET") {
    return refused("client_cert", 'needs transport "STREAMABLEHTTP" or "SSE": WebSockets present none');
  }
  if (!url.startsWith("https:")) return refused("client_cert", "needs an https address: it is a part of TLS");
  if (/PRIVATE KEY-----/.test(givenCert)) {
    return refused("client_cert", "has a private key, which answers would show: give it in client_key alone");
  }
  const certificate = { cert: givenCert, key: givenKey };
  // The trial of the upstream looks at the secrets that are referred to.
  if (referencesIn(certificate).length > 0) return { certificate, faults: [] };
  try {
    checkedCertificate(certificate, Date.now());
  } catch (error) {
    if (!(error instanceof CertificateFault)) throw error;
    return refused(error.part, error.message);
  }
  return { certificate, faults: [] };
}

function refused(field: string, message: string, type?: string) {
  return { certificate: null, faults: [fault(["body", field], message, type)] };
}
