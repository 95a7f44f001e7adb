/** The routes of the admin port. Nothing of a URL is ever a path of a file: routes are this table, answers are made here. */
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { createMiddleware } from 'hono/factory';
import { methodNotAllowed } from 'hono/method-not-allowed';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import * as z from 'zod';
import { type AdminEnv, changesOnlyByUs, headersOnAll, onlyFor, PLAIN_HEADERS, type RoleGuard } from './guard.ts';
import type { AdminPorts, ReloadView } from './ports.ts';
import { type AdminProblem, PROBLEM_TYPE, problem, problemOf, problemText } from './problem.ts';
import { ProblemError } from './problem-error.ts';
import { readPage, readQuery, readSince } from './query.ts';

export const BODY_BYTES_MAX = 64 * 1024;

export interface AdminAppOptions extends RoleGuard {
  readonly ports: AdminPorts;
  /** Whether metrics are shown to whoever can reach the port. */
  readonly metricsFree: boolean;
}

export function adminApp({ ports, metricsFree, ...guard }: AdminAppOptions): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.use('*', headersOnAll, async (c, next) => {
    await next();
    c.header('cache-control', PLAIN_HEADERS['cache-control']);
  });
  app.use(methodNotAllowed({ app, onMethodNotAllowed: (c, methods) => answer(c, wrongMethod(methods)) }));
  app.use(changesOnlyByUs);
  app.use(plainRequest);
  app.use(bodyLimit({ maxSize: BODY_BYTES_MAX, onError: (c) => answer(c, tooLarge) }));
  app.onError((error, c) => {
    const found = error instanceof ProblemError ? error.problem : problemOf(error);
    if (found.code === 'internal_error') ports.failed(error);
    return answer(c, found);
  });
  app.notFound((c) => answer(c, problem('not_found', 'there is nothing at this path')));
  health(app, ports);
  if (!metricsFree) app.use('/metrics', onlyFor('metrics_read', guard));
  app.get('/metrics', async (c) =>
    c.body(await ports.metrics(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  );
  policyRoutes(app, ports, guard);
  accountRoutes(app, ports, guard);
  keyRoutes(app, ports, guard);
  return app;
}

const RELOAD_STATUS = { loaded: 200, unchanged: 200, refused: 409, moving: 409, failed: 503 } as const satisfies Record<
  ReloadView['outcome'],
  number
>;

const tooLarge = problem('body_too_large', `expected a body of at most ${BODY_BYTES_MAX} bytes`);

/** `bodyLimit` makes a new Request of one whose body has no length, or is not there; that takes a Request of Node's own only. */
const plainRequest = createMiddleware<AdminEnv>(async (c, next) => {
  const { method, headers, body } = c.req.raw;
  if (body !== null) c.req.raw = new Request(c.req.url, { method, headers, body, duplex: 'half' });
  return next();
});

/** Whoever asks whether it lives is a probe, without a token. Liveness says that the loop turns, and nothing else. */
function health(app: Hono<AdminEnv>, ports: AdminPorts): void {
  app.get('/livez', (c) => json(c, { live: true }));
  app.get('/readyz', (c) => {
    const readiness = ports.readiness();
    return json(c, readiness, readiness.ready ? 200 : 503);
  });
  app.get('/version', (c) => json(c, ports.version));
}

function policyRoutes(app: Hono<AdminEnv>, ports: AdminPorts, guard: RoleGuard): void {
  app.get('/v1/policy', onlyFor('policy_read', guard), (c) => json(c, there(ports.policy(), 'no policy is in force')));
  app.post('/v1/policy/reload', onlyFor('policy_reload', guard), async (c) => {
    emptyBody(await c.req.text());
    const outcome = await ports.reload(c.var.caller);
    return json(c, outcome, RELOAD_STATUS[outcome.outcome]);
  });
  app.get('/v1/config', onlyFor('config_read', guard), (c) => json(c, ports.config()));
  app.get('/v1/audit', onlyFor('audit_read', guard), async (c) => {
    const query = readQuery(c.req.url, ['since', 'who', 'verb', 'limit', 'after']);
    const asked = { sinceMs: readSince(query), who: query.get('who'), verb: query.get('verb') };
    return jsonText(c, await ports.audit({ ...readPage(query), ...asked }));
  });
}

function accountRoutes(app: Hono<AdminEnv>, ports: AdminPorts, guard: RoleGuard): void {
  const unknown = 'there is no such account';
  app.get('/v1/accounts', onlyFor('accounts_read', guard), (c) =>
    json(c, ports.accounts(readPage(readQuery(c.req.url, ['limit', 'after'])))),
  );
  app.get('/v1/accounts/:path{.+}', onlyFor('accounts_read', guard), (c) =>
    json(c, there(ports.account(c.req.param('path')), unknown)),
  );
  app.get('/v1/limits', onlyFor('limits_read', guard), (c) => {
    const account = readQuery(c.req.url, ['account']).get('account');
    if (account === undefined) throw new ProblemError(problem('request_malformed', 'expected `account`'));
    return json(c, there(ports.limits(account), unknown));
  });
  app.get('/v1/decisions', onlyFor('decisions_read', guard), async (c) => {
    const query = readQuery(c.req.url, ['account', 'since', 'limit', 'after']);
    return jsonText(
      c,
      await ports.decisions({ ...readPage(query), account: query.get('account'), sinceMs: readSince(query) }),
    );
  });
  app.get('/v1/decisions/:id', onlyFor('decisions_read', guard), async (c) => {
    const found = await ports.decision(c.req.param('id'));
    return jsonText(c, there(found, 'this decision is not in the ledger; refusals of unknown callers are not booked'));
  });
}

const keyRequest = z.strictObject({
  account: z.string().min(1).max(256),
  class: z.string().min(1).max(64),
  kind: z.string().min(1).max(64),
  owner: z.string().min(1).max(256),
  expires: z.string().min(1).max(64).optional(),
  environment: z.string().min(1).max(64).optional(),
});
const KEY_REQUEST =
  'expected a JSON object of `account`, `class`, `kind`, `owner` and, if wanted, `expires`, `environment`';

function keyRoutes(app: Hono<AdminEnv>, ports: AdminPorts, guard: RoleGuard): void {
  app.get('/v1/keys', onlyFor('keys_read', guard), (c) => {
    const query = readQuery(c.req.url, ['account', 'limit', 'after']);
    return json(c, ports.keys({ ...readPage(query), account: query.get('account') }));
  });
  app.post('/v1/keys', onlyFor('keys_create', guard), async (c) => {
    const asked = keyRequest.safeParse(parsed(await c.req.text()));
    if (!asked.success) throw new ProblemError(problem('request_malformed', KEY_REQUEST));
    const { expires, environment, ...rest } = asked.data;
    return json(c, await ports.createKey({ ...rest, expires, environment }, c.var.caller), 201);
  });
  app.post('/v1/keys/:id/revoke', onlyFor('keys_revoke', guard), async (c) => {
    emptyBody(await c.req.text());
    return json(c, await ports.revokeKey(c.req.param('id'), c.var.caller));
  });
}

function wrongMethod(methods: readonly string[]): AdminProblem {
  const allow = methods.join(', ');
  return problem('method_wrong', `expected one of the methods \`${allow}\``, { allow });
}

function there<T>(found: T | undefined, detail: string): T {
  if (found === undefined) throw new ProblemError(problem('not_found', detail));
  return found;
}

function emptyBody(text: string): void {
  if (text.trim() === '' || text.trim() === '{}') return;
  throw new ProblemError(problem('request_malformed', 'expected no body, or `{}`'));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function json(c: Context<AdminEnv>, value: unknown, status: ContentfulStatusCode = 200): Response {
  return jsonText(c, `${JSON.stringify(value)}\n`, status);
}

function jsonText(c: Context<AdminEnv>, text: string, status: ContentfulStatusCode = 200): Response {
  return c.body(text, status, { 'content-type': 'application/json; charset=utf-8' });
}

function answer(c: Context<AdminEnv>, found: AdminProblem): Response {
  return c.body(problemText(found), found.status as ContentfulStatusCode, {
    ...found.headers,
    'content-type': PROBLEM_TYPE,
  });
}
