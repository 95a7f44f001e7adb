import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routeOf } from '../../src/decision/route.ts';
import { fileScope } from '../support/scope.ts';
import { policyOf } from './bundle.ts';
import { type Asked, callOf } from './desk.ts';

const policy = await policyOf(fileScope());

const CHAT = '/v1/chat/completions';
const UPGRADE = 'upgrade_refused';
const CROOKED = 'path_not_canonical';
const UNKNOWN = 'route_unknown';

/** A route's name, or a reason. */
const ROWS: readonly [n: number, asked: Asked, expected: string][] = [
  [1, { path: CHAT }, 'chat'],
  [2, { path: `${CHAT}?api-version=1&x=//..` }, 'chat'],
  [3, { path: `${CHAT}?` }, 'chat'],
  [4, { method: 'GET', path: '/v1/models' }, 'models'],
  [5, { path: '/v1/messages' }, 'messages'],
  // Method and path are exact.
  [6, { method: 'GET', path: CHAT }, UNKNOWN],
  [7, { method: 'post', path: CHAT }, UNKNOWN],
  [8, { method: 'TRACE', path: CHAT }, UNKNOWN],
  [9, { method: 'OPTIONS', path: CHAT }, UNKNOWN],
  [10, { path: '/V1/chat/completions' }, UNKNOWN],
  [11, { path: `${CHAT}/` }, UNKNOWN],
  [12, { path: '/' }, UNKNOWN],
  [13, { path: '/v1/chat' }, UNKNOWN],
  [14, { path: '/v1/.well-known' }, UNKNOWN],
  [15, { path: '/v1/...' }, UNKNOWN],
  [16, { path: '/__proto__' }, UNKNOWN],
  [17, { path: '/constructor' }, UNKNOWN],
  // What Envoy's normalisation would have changed or refused.
  [18, { path: `/${CHAT}` }, CROOKED],
  [19, { path: '/v1//chat/completions' }, CROOKED],
  [20, { path: '/v1/chat/%63ompletions' }, CROOKED],
  [21, { path: '/v1/x/../chat/completions' }, CROOKED],
  [22, { path: '/v1/./chat/completions' }, CROOKED],
  [23, { path: '/v1/chat/..' }, CROOKED],
  [24, { path: '/v1/chat/.' }, CROOKED],
  [25, { path: '/v1\\chat\\completions' }, CROOKED],
  [26, { path: '/v1/chat%2Fcompletions' }, CROOKED],
  [27, { path: `${CHAT};jsessionid=1` }, CROOKED],
  [28, { path: `${CHAT}#x` }, CROOKED],
  [29, { path: `${CHAT}\0` }, CROOKED],
  [30, { path: `${CHAT} ` }, CROOKED],
  [31, { path: '/v1/chät' }, CROOKED],
  [32, { path: `http://localhost${CHAT}` }, CROOKED],
  [33, { path: 'v1/chat/completions' }, CROOKED],
  [34, { path: '' }, CROOKED],
  [35, { path: '*' }, CROOKED],
  [36, { path: `/${'a'.repeat(65_536)}` }, UNKNOWN],
  [37, { path: `/${'a/'.repeat(32_768)}%` }, CROOKED],
  // A name from Envoy narrows and never widens.
  [38, { path: CHAT, routeName: 'chat' }, 'chat'],
  [39, { path: CHAT, routeName: 'models' }, UNKNOWN],
  [40, { path: CHAT, routeName: 'nowhere' }, UNKNOWN],
  [41, { path: CHAT, routeName: '__proto__' }, UNKNOWN],
  [42, { path: '/v1/elsewhere', routeName: 'chat' }, UNKNOWN],
  [43, { method: 'GET', path: CHAT, routeName: 'chat' }, UNKNOWN],
  [44, { path: '/v1/chat/%63ompletions', routeName: 'chat' }, CROOKED],
  [45, { path: CHAT, routeName: '' }, UNKNOWN],
  // Upgrades, whatever the path.
  [46, { method: 'CONNECT', path: CHAT }, UPGRADE],
  [47, { method: 'CONNECT', path: 'api.example:443' }, UPGRADE],
  [48, { path: CHAT, headers: [['upgrade', 'websocket']] }, UPGRADE],
  [49, { path: CHAT, headers: [['upgrade', '']] }, UPGRADE],
  [50, { path: '/nowhere', headers: [['upgrade', 'h2c']] }, UPGRADE],
  [51, { path: CHAT, headers: [[':protocol', 'websocket']] }, UPGRADE],
  // Other headers that would override method or path are not read.
  [52, { method: 'GET', path: CHAT, headers: [['x-http-method-override', 'POST']] }, UNKNOWN],
  [53, { path: '/nowhere', headers: [['x-original-url', CHAT]] }, UNKNOWN],
  [54, { path: '/v1/responses' }, 'answers'],
  [55, { path: '/v1/responses', routeName: 'chat' }, UNKNOWN],
];

for (const [n, asked, expected] of ROWS) {
  test(`H8 H10 H27 route ${n}: ${asked.method ?? 'POST'} ${JSON.stringify(asked.path).slice(0, 40)} is ${expected}`, () => {
    const found = routeOf(callOf(asked), policy);
    assert.equal('reason' in found ? found.reason : found.name, expected);
  });
}

test('what is said of a path that is refused holds nothing of it', () => {
  for (const path of ['/nowhere`<b>', '/v1//x', '/nowhere']) {
    const found = routeOf(callOf({ method: 'BREW`', path }), policy);
    assert.ok('reason' in found);
    assert.doesNotMatch(found.message, /nowhere|v1|BREW/);
  }
});
