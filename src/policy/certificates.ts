/** Certificates as PEM files hold them. */
import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';

const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,65536}-----END CERTIFICATE-----/g;
/** Of one file. A chain has three or four, a bundle of own authorities during a change of them a few more. */
const CERTIFICATES_MAX = 32;

/** The certificates of a PEM text, in its order; undefined: none, more than 32, or one that cannot be read. */
export function certificatesIn(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0 || blocks.length > CERTIFICATES_MAX) return undefined;
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

/**
 * What is wrong with `pem` as the authorities that client certificates must come from; undefined: nothing. An authority of
 * the public web is refused: it gives a certificate to anybody who asks.
 */
export function clientCaFault(pem: string): string | undefined {
  const authorities = certificatesIn(pem);
  if (authorities === undefined)
    return `no certificate, or more than ${CERTIFICATES_MAX}, as a system's trust store has`;
  if (authorities.some(({ ca }) => !ca)) return 'a certificate that is no authority';
  const isPublic = authorities.some((authority) => publicRoots().has(authority.raw.toString('base64')));
  return isPublic ? 'an authority of the public web, which gives certificates to anybody' : undefined;
}

let roots: ReadonlySet<string> | undefined;

/** DER of the authorities that Node trusts, in base64. */
function publicRoots(): ReadonlySet<string> {
  roots ??= new Set(rootCertificates.map((pem) => pem.replace(/-----[A-Z ]+-----|\s/g, '')));
  return roots;
}
