/** An issuer of tokens: real keys, tokens made byte by byte (bad ones too), and a server for its key set. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Scope } from './scope.ts';

export type TestAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA';
export type Members = Readonly<Record<string, unknown>>;

/** A key pair that signs. */
export interface TestKey {
  readonly algorithm: TestAlgorithm;
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** Its public JWK with `kid`, as a key set holds it. */
  readonly jwk: Members;
  sign(input: string): Buffer;
}

export function testKey(algorithm: TestAlgorithm, kid: string, { bits = 2048 }: { bits?: number } = {}): TestKey {
  const { publicKey, privateKey } = pairOf(algorithm, bits);
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' };
  return { algorithm, kid, publicKey, privateKey, jwk, sign: (input) => signatureOf(algorithm, privateKey, input) };
}

function pairOf(algorithm: TestAlgorithm, bits: number): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (algorithm === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  return generateKeyPairSync('rsa', { modulusLength: bits });
}

function signatureOf(algorithm: TestAlgorithm, key: KeyObject, input: string): Buffer {
  const bytes = Buffer.from(input);
  switch (algorithm) {
    case 'EdDSA':
      return sign(null, bytes, key);
    case 'RS256':
      return sign('sha256', bytes, key);
    case 'PS256':
      return sign('sha256', bytes, { key, padding: 6, saltLength: 32 });
    case 'ES256':
    case 'ES384':
      return sign(algorithm === 'ES256' ? 'sha256' : 'sha384', bytes, { key, dsaEncoding: 'ieee-p1363' });
  }
}

/** A compact JWS of any two texts or objects under any signature. */
export function compact(
  parts: { readonly header: Members | string; readonly claims: Members | string },
  signed: (input: string) => Uint8Array,
): string {
  const input = `${segment(parts.header)}.${segment(parts.claims)}`;
  return `${input}.${Buffer.from(signed(input)).toString('base64url')}`;
}

/** A token that `key` signs. `header` is laid over algorithm, kid and type. Undefined members are left out. */
export function tokenOf(key: TestKey, claims: Members | string, header: Members = {}): string {
  return compact({ header: { alg: key.algorithm, kid: key.kid, typ: 'at+jwt', ...header }, claims }, key.sign);
}

export function segment(content: Members | string): string {
  return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64url');
}

/** The credential id that a subject of an issuer gets. */
export function subjectId(entry: { readonly name: string; readonly issuer: string }, sub: string): string {
  return `${entry.name}:${createHash('sha256').update(`${entry.issuer}\n${sub}`).digest('base64url').slice(0, 16)}`;
}

/** Serves a key set on loopback. */
export interface KeyServer {
  readonly origin: string;
  readonly url: string;
  /** Requests so far. */
  requests(): number;
  /** From now on it serves these keys, or answers as told. */
  serve(keys: readonly Members[]): void;
  answer(listener: RequestListener): void;
  /** Ends it; connections are refused from then on. */
  stop(): Promise<void>;
}

export async function keyServer(scope: Scope, keys: readonly Members[]): Promise<KeyServer> {
  let requests = 0;
  let listener = keySetOf(keys);
  const server = createServer((request, response) => {
    requests++;
    void listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  scope.after(stop);
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    url: `${origin}/jwks.json`,
    requests: () => requests,
    serve: (next) => {
      listener = keySetOf(next);
    },
    answer: (next) => {
      listener = next;
    },
    stop,
  };
}

/** The usual answer: these keys, as JSON. */
export function keySetOf(keys: readonly Members[]): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/jwk-set+json' }).end(JSON.stringify({ keys }));
  };
}
