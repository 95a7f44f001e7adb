/** What every answer carries, and what a change must show. */
import type { IncomingMessage } from 'node:http';
import { createMiddleware } from 'hono/factory';
import { secureHeaders } from 'hono/secure-headers';
import type { AdminRole } from '../core/admin-role.ts';
import type { Caller } from './ports.ts';
import { problem } from './problem.ts';
import { ProblemError } from './problem-error.ts';
import type { Proved, Shown } from './proof.ts';
import { roleFor, VERBS, type Verb } from './roles.ts';

export interface AdminEnv {
  readonly Bindings: { readonly incoming: IncomingMessage };
  readonly Variables: { readonly caller: Caller };
}

/** Headers of all answers, those of `secureHeaders` besides. Nothing here is for a cache, a frame or a script of others. */
export const PLAIN_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** Puts `PLAIN_HEADERS` and those that hono knows of onto every answer. */
export const headersOnAll = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    objectSrc: ["'none'"],
  },
  xFrameOptions: PLAIN_HEADERS['x-frame-options'],
  referrerPolicy: PLAIN_HEADERS['referrer-policy'],
  // A browser that was told so once would not come back to a plain loopback port.
  strictTransportSecurity: false,
  xXssProtection: false,
});

/**
 * A change comes as JSON, which no page of another origin can send unasked, and from no other origin: a browser says
 * which. Tokens stand in a header that browsers never add by themselves; there are no cookies.
 */
export const changesOnlyByUs = createMiddleware<AdminEnv>(async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return next();
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  const own = new URL(c.req.url).host;
  const isForeign = origin !== undefined && origin !== `http://${own}` && origin !== `https://${own}`;
  if (isForeign || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
    throw new ProblemError(problem('origin_foreign', 'changes are taken from this origin alone'));
  }
  if (!/^application\/json(?:; *charset=utf-8)?$/i.test(c.req.header('content-type') ?? '')) {
    throw new ProblemError(problem('media_type_wrong', 'expected `content-type: application/json`'));
  }
  return next();
});

export interface RoleGuard {
  prove(shown: Shown): Proved | ({ readonly status: number } & Parameters<typeof reject>[0]);
  /** Names in the verified client certificate of a connection. */
  namesOf(incoming: IncomingMessage): readonly string[];
  /** Told of what a role may not do. */
  onForbidden(who: string, role: AdminRole, verb: Verb): void;
}

function reject(found: ConstructorParameters<typeof ProblemError>[0]): never {
  throw new ProblemError(found);
}

/** Lets those through who hold a role for the verb; `caller` is set then. */
export function onlyFor(verb: Verb, { prove, namesOf, onForbidden }: RoleGuard) {
  return createMiddleware<AdminEnv>(async (c, next) => {
    const { incoming } = c.env;
    const proved = prove({
      authorization: c.req.header('authorization'),
      names: namesOf(incoming),
      address: incoming.socket.remoteAddress ?? 'socket',
    });
    if (!('who' in proved)) return reject(proved);
    const role = roleFor(verb, proved.roles);
    if (role === undefined) {
      const held = [...proved.roles];
      onForbidden(proved.who, held[0]!, verb);
      return reject(
        problem(
          'role_forbidden',
          `expected one of the roles \`${VERBS[verb].join('`, `')}\`, found \`${held.join('`, `')}\``,
        ),
      );
    }
    c.set('caller', { who: proved.who, role });
    return next();
  });
}
