/** H20, H28: how long the worst bodies hold the event loop. `npm run bench -- --only stall` has the figures and their bar. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { deskOf } from '../decision/desk.ts';
import { BODIES } from '../e2e/hostile/bodies.ts';
import { MODELS } from '../e2e/hostile/models.ts';
import { HEAVY_BODIES, HEAVY_PATHS, HEAVY_ROUTES } from './heavy-bodies.ts';

/** Ten times what a decision may take, for a machine that does other things: no figure, only that nothing is quadratic. */
const CPU_MS_MAX = 250;
const PARTS = {
  routes: [...HEAVY_ROUTES, 'big: {dialect: openai-chat, match: {method: POST, path: /v1/big}, body_max: 4MiB}'],
};

test('H20 H28 the worst stall of the event loop over all bad bodies', async (t) => {
  const desk = await deskOf(t, PARTS);
  const bad = [...BODIES, ...MODELS].flatMap(({ name, body }) =>
    body === undefined ? [] : [{ what: name, path: '/v1/big', body: () => Buffer.from(body) }],
  );
  const heavy = HEAVY_BODIES.map(({ what, route, body }) => ({
    what: `${route}: ${what}`,
    path: route === 'chat' ? '/v1/big' : HEAVY_PATHS[route],
    body,
  }));
  let worst = { what: '', ms: 0, bytes: 0 };
  const all = [...heavy, ...bad];
  for (const { what, path, body: make } of all) {
    const body = make();
    const start = process.threadCpuUsage();
    const { outcome } = desk.decide({ path, body });
    const { user, system } = process.threadCpuUsage(start);
    const ms = (user + system) / 1000;
    if (ms > worst.ms) worst = { what, ms, bytes: body.length };
    assert.equal(outcome, 'deny', what);
    assert.ok(ms <= CPU_MS_MAX, `${what}: ${ms} ms`);
    await turn();
  }
  const took = `the longest decision took ${worst.ms.toFixed(1)} ms of its thread`;
  t.diagnostic(`${all.length} bodies: ${took} (${worst.what}, ${worst.bytes} bytes)`);
});

test('H28 of colliding integer keys no more than 10 000 are read', async (t) => {
  const desk = await deskOf(t, PARTS);
  const keys = Array.from({ length: 60_000 }, (_, index) => `"${index * 65_536}":0`);
  const body = Buffer.from(`{"model":"large","x":{${keys.join()}}}`);
  assert.equal(desk.deny({ path: '/v1/big', body }).reason, 'body_too_deep');
});
