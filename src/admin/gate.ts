/** What is asked of a request before anything reads it: whom it means, and that its target is plain. Pure. */
import { BlockList, isIP } from 'node:net';
import { type AdminProblem, problem } from './problem.ts';

/** Headers of one request; Node's own bound is one higher, and what it does beyond that is not relied on. */
export const HEADERS_MAX = 50;
const TARGET_CHARS_MAX = 2048;
/** Origin-form. No escapes but in a query, no backslash, no `..`, no `//`: nothing that two readers could read in two ways. */
const PATH = /^\/(?:[A-Za-z0-9._~@:+-]+(?:\/[A-Za-z0-9._~@:+-]+)*)?$/;
const QUERY = /^[A-Za-z0-9._~@:+/%=&,-]*$/;
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+?)\.?(?::[0-9]{1,5})?$/;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

export interface Knock {
  readonly target: string;
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[];
  /** Address that the connection was made to; undefined: a Unix socket. */
  readonly localAddress: string | undefined;
}

/** A gate for these hosts besides loopback's names. Answers what is wrong with a request; undefined: nothing. */
export function gateFor(hosts: readonly string[]): (knock: Knock) => AdminProblem | undefined {
  const known = new Set(['localhost', ...hosts]);
  return ({ target, rawHeaders, localAddress }) => {
    if (rawHeaders.length > 2 * HEADERS_MAX) {
      return { ...problem('request_malformed', `expected at most ${HEADERS_MAX} headers`), status: 431 };
    }
    const written = valuesOf(rawHeaders, 'host');
    if (written.length > 1) return problem('request_malformed', 'expected one `host`, found several');
    if (valuesOf(rawHeaders, 'authorization').length > 1) {
      return problem('request_malformed', 'expected one `authorization`, found several');
    }
    const host = HOST.exec((written[0] ?? '').toLowerCase())?.[1];
    if (host === undefined || !(known.has(host) || isOwnAddress(host, localAddress))) {
      return problem('host_unknown', 'this host is none of `admin.hosts` in tollgate.yaml, and not loopback');
    }
    return isPlain(target) ? undefined : problem('request_malformed', 'expected a plain path without escapes');
  };
}

/** A name can be made to point here by its owner, an address cannot: that of the connection itself is no rebinding. */
function isOwnAddress(host: string, localAddress: string | undefined): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  if (family === 0) return false;
  if (LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4')) return true;
  return localAddress?.replace(/^::ffff:/, '') === address;
}

function isPlain(target: string): boolean {
  if (target.length > TARGET_CHARS_MAX) return false;
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  if (!PATH.test(path) || path.split('/').some((part) => part === '.' || part === '..')) return false;
  return at < 0 || QUERY.test(target.slice(at + 1));
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]!.toLowerCase() === name) found.push(rawHeaders[at + 1]!);
  }
  return found;
}
