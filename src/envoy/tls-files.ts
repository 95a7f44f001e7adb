/** The PEM files of a listener, read and proved to fit each other. */
import { createHash, createPrivateKey, type X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { systemCodeOf, TollgateError } from '../core/errors.ts';
import { certificatesIn, clientCaFault } from '../policy/certificates.ts';
import { secretFileFault } from '../policy/secret-file.ts';
import { PEM_BYTES_MAX, type TlsFiles } from '../policy/settings-tls.ts';

/** Instants in epoch ms: a certificate holds from the first to before the second. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What a listener proves itself and its peers with. */
export interface TlsMaterial {
  /** Digest of all the files: the same one means that nothing changed. */
  readonly version: string;
  readonly context: SecureContextOptions;
  /** Of our own certificate. */
  readonly certificate: Validity;
  /** Of the authority that ends first. */
  readonly clientCa: Validity;
}

/**
 * Set with each change of the files too: Node forgets what a new context does not say. No tickets, so that every
 * connection proves itself anew, by the authorities of now.
 */
const CONTEXT = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const satisfies SecureContextOptions;

/**
 * Reads them. Throws `secret_unreadable`, which names the file and what is wrong, never a content: not readable, open to
 * others, not PEM, a key of another certificate, authorities of the public web.
 */
export async function readTlsFiles(files: TlsFiles): Promise<TlsMaterial> {
  const fault = await secretFileFault(files.key, { bytesMin: 1, bytesMax: PEM_BYTES_MAX });
  if (fault !== undefined) throw unreadable('key', files.key, fault);
  const [cert, key, ca] = await Promise.all([
    readPem('certificate', files.cert),
    readPem('key', files.key),
    readPem('client_ca', files.clientCa),
  ]);
  const own = certificatesIn(cert)?.[0];
  if (own === undefined) throw unreadable('certificate', files.cert, 'no certificate');
  const authorities = certificatesIn(ca);
  const caFault = clientCaFault(ca);
  if (authorities === undefined || caFault !== undefined) throw unreadable('client_ca', files.clientCa, caFault ?? '');
  if (!fits(own, key)) throw unreadable('key', files.key, `no private key of the certificate \`${files.cert}\``);
  const context = { ...CONTEXT, cert, key, ca };
  return {
    version: createHash('sha256').update(`${cert}\0${key}\0${ca}`).digest('base64url'),
    context: usable(context, files),
    certificate: validityOf(own),
    clientCa: authorities.map(validityOf).toSorted((a, b) => a.untilMs - b.untilMs)[0]!,
  };
}

async function readPem(what: string, file: string): Promise<string> {
  try {
    const found = await stat(file);
    if (!found.isFile() || found.size > PEM_BYTES_MAX) throw unreadable(what, file, 'no file, or one too large');
    return await readFile(file, 'latin1');
  } catch (cause) {
    if (cause instanceof TollgateError) throw cause;
    throw unreadable(what, file, `nothing that can be read (${systemCodeOf(cause) ?? 'unknown error'})`);
  }
}

function fits(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** OpenSSL has the last word, for instance on keys that are too weak. Its text may show parts of what it read. */
function usable(context: SecureContextOptions, { cert }: TlsFiles): SecureContextOptions {
  try {
    createSecureContext(context);
    return context;
  } catch {
    throw unreadable('certificate', cert, 'one that cannot be used with its key');
  }
}

function validityOf({ validFromDate, validToDate }: X509Certificate): Validity {
  return { fromMs: validFromDate.getTime(), untilMs: validToDate.getTime() };
}

function unreadable(what: string, file: string, found: string): TollgateError {
  return new TollgateError('secret_unreadable', `TLS ${what} \`${file}\` cannot be used: found ${found}`);
}
