/** Who can prove who they are: API keys and issuers of tokens. */

import { dayOf } from '../../core/day.ts';
import type { Issuer } from '../issuer.ts';
import type { ApiKey, Policy } from '../policy.ts';
import type { Change, Side } from './change.ts';

export function* diffKeys({ policy: before }: Side, { policy: after }: Side): Generator<Change, void> {
  for (const of of new Set([...before.keys.keys(), ...after.keys.keys()])) {
    for (const { effect, text } of keyChanges(before.keys.get(of), after.keys.get(of))) {
      yield { effect, about: 'key', of, text };
    }
  }
  const [was, is] = [issuersOf(before), issuersOf(after)];
  for (const of of new Set([...was.keys(), ...is.keys()])) {
    const [a, b] = [was.get(of), is.get(of)];
    if (a === undefined) yield { effect: 'gain', about: 'issuer', of, text: 'is let in' };
    else if (b === undefined) yield { effect: 'lose', about: 'issuer', of, text: 'is let in no more' };
    else yield* issuerChanges(a, b);
  }
}

function* keyChanges(
  was: ApiKey | undefined,
  is: ApiKey | undefined,
): Generator<Pick<Change, 'effect' | 'text'>, void> {
  if (is === undefined) {
    if (was?.revoked === false) yield { effect: 'lose', text: `of \`${was.account}\` is gone` };
    return;
  }
  if (was === undefined) {
    if (!is.revoked) yield { effect: 'gain', text: `of \`${is.account}\` is new (class ${is.class})` };
    return;
  }
  if (was.revoked !== is.revoked) {
    const [effect, text] = is.revoked ? (['lose', 'is revoked'] as const) : (['gain', 'is revoked no more'] as const);
    yield { effect, text: `of \`${is.account}\` ${text}` };
  }
  if (was.expiresMs !== is.expiresMs) {
    const [effect, word] = is.expiresMs < was.expiresMs ? (['lose', 'earlier'] as const) : (['gain', 'later'] as const);
    yield { effect, text: `ends ${word}: ${dayOf(was.expiresMs)} → ${dayOf(is.expiresMs)}` };
  }
  for (const name of ['account', 'class', 'kind', 'environment', 'owner', 'shared'] as const) {
    if (was[name] !== is[name]) yield { effect: 'change', text: `${name}: ${was[name]} → ${is[name]}` };
  }
  if (!Buffer.from(was.digest).equals(is.digest)) yield { effect: 'change', text: 'is another key under the same id' };
}

function issuersOf({ issuers }: Policy): ReadonlyMap<string, Issuer> {
  return new Map([...issuers.values()].flat().map((issuer) => [issuer.name, issuer]));
}

function* issuerChanges(was: Issuer, is: Issuer): Generator<Change, void> {
  for (const name of Object.keys(is) as (keyof Issuer)[]) {
    const [old, now] = [was[name], is[name]].map((value) => JSON.stringify(value) ?? 'none');
    if (old !== now) yield { effect: 'change', about: 'issuer', of: is.name, text: `${name}: ${old} → ${now}` };
  }
}
