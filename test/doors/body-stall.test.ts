/** H20, H28: how long the worst bodies hold the event loop, in the handler as it serves. Figures; no speed is asserted. */
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { deskOf } from '../decision/desk.ts';
import { BODIES } from '../e2e/hostile/bodies.ts';
import { MODELS } from '../e2e/hostile/models.ts';

const BODY_MAX_BYTES = 4 * 2 ** 20;
const ROUTES = ['big: {dialect: openai-chat, match: {method: POST, path: /v1/big}, body_max: 4MiB, lasts_max: 10m}'];
const PARTS = {
  routes: ROUTES,
  entitlements: ['{routes: [big], models: [large], classes: [interactive]}'],
};

/** Just under the limit of the desk's route. */
function filled(unit: string, head = '{"model":"large","max_tokens":5,"messages":[],"x":[', tail = '1]}'): Buffer {
  const room = BODY_MAX_BYTES - 64 - head.length;
  return Buffer.from(head + unit.repeat(Math.floor(room / Buffer.byteLength(unit))) + tail);
}

const LARGE: readonly (readonly [what: string, body: Buffer])[] = [
  ['numbers', filled('1,')],
  ['empty texts', filled('"",')],
  ['lists', filled('[],')],
  ['objects', filled('{},')],
  ['escapes', filled('\\u00e4', '{"model":"large","max_tokens":5,"messages":[],"x":"', '"}')],
  ['white space', filled(' \n')],
  ['messages', filled('{"role":"user","content":"a"},', '{"model":"large","max_tokens":5,"messages":[', '{}]}')],
  ['tools', filled('{"type":"function"},', '{"model":"large","max_tokens":5,"messages":[],"tools":[', '{}]}')],
  ['no end', filled('[')],
  [
    'integer keys that collide in a hash table',
    Buffer.from(`{"model":"large","x":{${Array.from({ length: 60_000 }, (_, i) => `"${i * 65_536}":0`).join()}}}`),
  ],
];

test('H20 H28 the worst stall of the event loop over all bad bodies', async (t) => {
  const desk = await deskOf(t, PARTS);
  const bodies: (readonly [what: string, body: Buffer])[] = [
    ...LARGE,
    ...[...BODIES, ...MODELS].flatMap(({ name, body }) =>
      body === undefined ? [] : [[name, Buffer.from(body)] as const],
    ),
  ];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let worst: readonly [what: string, ms: number, bytes: number] = ['', 0, 0];
  desk.decide({ path: '/v1/big', body: LARGE[0]![1] });
  await turn();
  delay.enable();
  const outcomes = new Set<string>();
  for (const [what, body] of bodies) {
    const start = process.threadCpuUsage();
    outcomes.add(desk.decide({ path: '/v1/big', body }).outcome);
    const { user, system } = process.threadCpuUsage(start);
    const ms = (user + system) / 1000;
    if (ms > worst[1]) worst = [what, ms, body.length];
    await turn();
  }
  delay.disable();
  t.diagnostic(
    `${bodies.length} bodies: the longest decision took ${worst[1].toFixed(1)} ms of its thread (${worst[0]}, ${worst[2]} bytes)`,
  );
  t.diagnostic(`worst delay of the event loop: ${(delay.max / 1e6).toFixed(1)} ms`);
  assert.deepEqual([...outcomes].toSorted(), ['allow', 'deny']);
});

test('H28 of colliding integer keys no more than 10 000 are read', async (t) => {
  const desk = await deskOf(t, PARTS);
  assert.equal(desk.deny({ path: '/v1/big', body: LARGE.at(-1)![1] }).reason, 'body_too_deep');
});
