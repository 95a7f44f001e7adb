/** Certificates for tests, made here and now: X.509 v3 over P-256, in the DER that RFC 5280 asks for. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

const HOUR_MS = 3_600_000;

/** A certificate with its key, PEM and all. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Common name. Default `test`. */
  readonly commonName?: string;
  /** Subject alternative names, in this order. Default none: no such extension. */
  readonly dns?: readonly string[];
  readonly uris?: readonly string[];
  /** Epoch ms; default: from an hour ago to in an hour. */
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** What it may be used for; default both. */
  readonly usage?: 'client' | 'server';
}

/** An authority that signs what it is asked to. */
export class TestAuthority implements TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly #name: Buffer;
  readonly #private: KeyObject;

  constructor({ commonName = `authority ${randomBytes(4).toString('hex')}` } = {}) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#private = privateKey;
    this.#name = nameOf(commonName);
    this.key = keyPem(privateKey);
    const constraints = extension(OID.basicConstraints, sequence(BOOLEAN_TRUE), { critical: true });
    this.cert = this.#sign({ commonName }, { subject: this.#name, publicKey, extensions: [constraints] });
  }

  issue(options: CertificateOptions = {}): TestCertificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { usage, dns = [], uris = [], commonName = 'test' } = options;
    const purposes = [usage !== 'server' && OID.clientAuth, usage !== 'client' && OID.serverAuth].filter(
      (each) => each !== false,
    );
    const names = [...dns.map((each) => tagged(0x82, each)), ...uris.map((each) => tagged(0x86, each))];
    const extensions = [extension(OID.extendedKeyUsage, sequence(...purposes))];
    if (names.length > 0) extensions.push(extension(OID.subjectAltName, sequence(...names)));
    return {
      cert: this.#sign(options, { subject: nameOf(commonName), publicKey, extensions }),
      key: keyPem(privateKey),
    };
  }

  #sign(
    { fromMs = Date.now() - HOUR_MS, untilMs = Date.now() + HOUR_MS }: CertificateOptions,
    of: { readonly subject: Buffer; readonly publicKey: KeyObject; readonly extensions: readonly Buffer[] },
  ): string {
    const body = sequence(
      der(0xa0, der(0x02, Buffer.of(2))),
      der(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)])),
      sequence(OID.ecdsaWithSha256),
      this.#name,
      sequence(timeOf(fromMs), timeOf(untilMs)),
      of.subject,
      createPublicKey(of.publicKey.export({ type: 'spki', format: 'pem' })).export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...of.extensions)),
    );
    const signature = sign('sha256', body, this.#private);
    const whole = sequence(body, sequence(OID.ecdsaWithSha256), der(0x03, Buffer.concat([Buffer.of(0), signature])));
    return pem('CERTIFICATE', whole);
  }
}

/** Object identifiers, encoded. */
const OID = {
  commonName: oid('550403'),
  ecdsaWithSha256: oid('2a8648ce3d040302'),
  basicConstraints: oid('551d13'),
  subjectAltName: oid('551d11'),
  extendedKeyUsage: oid('551d25'),
  serverAuth: oid('2b06010505070301'),
  clientAuth: oid('2b06010505070302'),
};

const BOOLEAN_TRUE = der(0x01, Buffer.of(0xff));

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function extension(id: Buffer, value: Buffer, { critical = false } = {}): Buffer {
  return sequence(id, ...(critical ? [BOOLEAN_TRUE] : []), der(0x04, value));
}

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(OID.commonName, tagged(0x0c, commonName))));
}

/** GeneralizedTime, also for years that RFC 5280 writes otherwise: OpenSSL reads both. */
function timeOf(ms: number): Buffer {
  return tagged(0x18, `${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')}`);
}

function tagged(tag: number, text: string): Buffer {
  return der(tag, Buffer.from(text, 'latin1'));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
}

function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
