/** Routes, models, classes and what stands for the whole bundle. */

import type { Model, Policy, Route } from '../policy.ts';
import type { Change, Side } from './change.ts';

type Facts = ReadonlyMap<string, string>;

export function* diffTraffic({ policy: before }: Side, { policy: after }: Side): Generator<Change, void> {
  yield* factChanges(bundleFacts(before), bundleFacts(after), { about: 'bundle', of: '' });
  yield* thingChanges(before.routes, after.routes, { about: 'route', facts: routeFacts });
  yield* thingChanges(before.models.byName, after.models.byName, { about: 'model', facts: modelFacts });
}

function* thingChanges<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  { about, facts }: { readonly about: Change['about']; readonly facts: (thing: T) => Facts },
): Generator<Change, void> {
  for (const of of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(of), after.get(of)];
    if (was === undefined || is === undefined) {
      yield { effect: 'change', about, of, text: was === undefined ? 'is new' : 'is gone' };
    } else yield* factChanges(facts(was), facts(is), { about, of });
  }
}

function* factChanges(was: Facts, is: Facts, thing: Pick<Change, 'about' | 'of'>): Generator<Change, void> {
  for (const [name, now] of is) {
    const old = was.get(name) ?? '';
    if (old !== now) yield { effect: 'change', ...thing, text: `${name}: ${old || 'none'} → ${now || 'none'}` };
  }
}

function bundleFacts({ environment, enforce, classes, runs, keyAgeMaxMs }: Policy): Facts {
  return new Map([
    ['environment', environment],
    ['enforce', enforce],
    ['classes', classes.join(', ')],
    ['runs.required_for', [...runs.requiredFor].join(', ')],
    ['runs.idle', `${runs.idleMs} ms`],
    ['credentials.age_max', keyAgeMaxMs === undefined ? '' : `${keyAgeMaxMs} ms`],
  ]);
}

function routeFacts({ name: _name, template: _template, ...route }: Route): Facts {
  return new Map(Object.entries(route).map(([key, value]) => [key, String(value ?? '')]));
}

function modelFacts({ provider, labels, outputMax, outputAssumed, dialects }: Model): Facts {
  return new Map([
    ['provider', provider],
    [
      'labels',
      Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .toSorted()
        .join(' '),
    ],
    ['output_max', String(outputMax)],
    ['output_assumed', String(outputAssumed)],
    ['dialects', [...dialects].toSorted().join(', ')],
  ]);
}
