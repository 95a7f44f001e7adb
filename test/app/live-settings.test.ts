import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { LiveSettings } from '../../src/app/live-settings.ts';
import { PolicyNews } from '../../src/app/policy-news.ts';
import type { Settings } from '../../src/policy/settings.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { loadWith } from '../policy/bundles.ts';
import type { Scope } from '../support/scope.ts';

async function rigFor(scope: Scope) {
  const { settings } = await loadWith(scope, {});
  const told: string[] = [];
  const stream = new Writable({
    write: (line: Buffer, _encoding, done) => {
      const { code, settings: keys } = JSON.parse(line.toString()) as { code: string; settings: string[] };
      told.push(`${code} ${keys.join()}`);
      done();
    },
  });
  const taken: Settings['log'][] = [];
  const live = new LiveSettings(settings!, {
    reloadable: { log: ({ log }) => void taken.push(log) },
    news: new PolicyNews(createLog({ stream }), {}),
  });
  return { settings: settings!, live, told, taken };
}

test('what may change is taken; the same again is no change', async (t) => {
  const { settings, live, told, taken } = await rigFor(t);
  live.take(settings);
  live.take({ ...settings, log: 'debug' });
  live.take({ ...settings, log: 'debug' });
  assert.deepEqual([taken, told], [['debug'], ['settings_taken log']]);
});

test('what needs a restart is told once, until it is something else; it is not in force', async (t) => {
  const { settings, live, told, taken } = await rigFor(t);
  const changed = { ...settings, queueMax: settings.queueMax + 1 };
  live.take(changed);
  live.take(changed);
  live.take({ ...changed, log: 'debug' });
  live.take({ ...changed, log: 'debug', commitMs: settings.commitMs + 1 });
  live.take({ ...settings, log: 'debug' });
  live.take({ ...changed, log: 'debug' });
  assert.deepEqual(taken, ['debug']);
  assert.deepEqual(told, [
    'restart_needed queueMax',
    'settings_taken log',
    'restart_needed queueMax,commitMs',
    'restart_needed queueMax',
  ]);
});

test('a map that changes is a change', async (t) => {
  const { settings, live, told } = await rigFor(t);
  live.take({ ...settings, peppers: new Map([...settings.peppers, ['v9', '/pepper-v9']]) });
  assert.deepEqual(told, ['restart_needed peppers']);
});
