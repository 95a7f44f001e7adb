import assert from 'node:assert/strict';
import { bodyOf } from '../../src/decision/body.ts';
import type { Fault } from '../../src/decision/denial.ts';
import { plan } from '../../src/decision/plan.ts';
import type { Question } from '../../src/decision/question.ts';
import type { Subject } from '../../src/decision/subject.ts';
import { type Template, template } from '../../src/decision/template.ts';
import type { Principal } from '../../src/identity/principal.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { callOf, NOW_MS } from './desk.ts';

/** Default: account `acme`, its key, route `chat`, class `interactive`, the body of `callOf`, NOW_MS. */
export interface Planned {
  readonly account?: string;
  readonly credential?: string;
  readonly actor?: string;
  readonly route?: string;
  readonly classes?: readonly string[];
  readonly run?: string;
  readonly json?: object;
  readonly atMs?: number;
  readonly refuseDowngrade?: boolean;
}

export function subjectOf(policy: Policy, planned: Planned = {}): Subject {
  const { account = 'acme', credential = 'acmekey', actor, classes = ['interactive'], run, atMs = NOW_MS } = planned;
  const route = policy.routes.get(planned.route ?? 'chat');
  const found = policy.account(account);
  assert.ok(route && found, 'the bundle has the route and the account');
  const facts = bodyOf(callOf({ json: planned.json ?? {} }), route);
  assert.ok(facts === undefined || !('reason' in facts), 'the body is sound');
  const principal: Principal = {
    account,
    credential,
    kind: 'service',
    proof: 'api_key',
    actor,
    class: classes[0]!,
    confidence: 'exact',
  };
  return {
    decisionId: 'abcdefgh-01890a5d-ac96-7aaa-8bbb-0123456789ab',
    decidedAtMs: atMs,
    policy,
    principal,
    account: found,
    route,
    classes,
    run,
    facts,
    expiryGraceMs: 60_000,
  };
}

/** What policy says of a call that is cleared. */
export function templateOf(policy: Policy, planned: Planned = {}): Template {
  const subject = subjectOf(policy, planned);
  const made = template({ ...subject, said: subject.facts?.model, refuseDowngrade: planned.refuseDowngrade ?? false });
  assert.ok(!('reason' in made), JSON.stringify(made));
  return made;
}

export function planOf(policy: Policy, planned: Planned = {}): Question | Fault {
  return plan(subjectOf(policy, planned), templateOf(policy, planned));
}

export function questionOf(policy: Policy, planned: Planned = {}): Question {
  const made = planOf(policy, planned);
  assert.ok(!('reason' in made), JSON.stringify(made));
  return made;
}
