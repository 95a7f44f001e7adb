/** Checks of those who try: each kind of them in one form, of which only what they make up changes from call to call. */
import { randomFillSync } from 'node:crypto';
import { mintApiKey } from '../../src/identity/api-key.ts';

/** A kind of hostile call, as a process that sends them gets it. */
export interface HostileForm {
  readonly what: string;
  /** A CheckRequest. */
  readonly request: Uint8Array;
  /** Where each call has other characters, in bytes. */
  readonly from: number;
  readonly length: number;
  /** `random`: of base64url. `key`: an API key that is well-formed. */
  readonly fill: 'random' | 'key';
}

/** A form of `request`, in which `mark` stands once for what changes. */
export function formOf(
  what: string,
  request: Buffer,
  { mark, fill = 'random' }: { readonly mark: string; readonly fill?: HostileForm['fill'] },
): HostileForm {
  const from = request.indexOf(mark);
  if (from < 0 || request.indexOf(mark, from + 1) >= 0) throw new Error(`${what}: the mark must stand there once`);
  return { what, request, from, length: mark.length, fill };
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/** The next call of a kind: a copy. */
export function callOf({ request, from, length, fill }: HostileForm): Buffer {
  const call = Buffer.from(request);
  if (fill === 'key') {
    call.write(mintApiKey('prod').key, from, 'latin1');
  } else {
    const random = randomFillSync(call.subarray(from, from + length));
    for (let at = 0; at < length; at++) random[at] = ALPHABET[random[at]! & 63]!;
  }
  return call;
}
