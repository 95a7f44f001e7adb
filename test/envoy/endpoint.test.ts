import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TollgateError } from '../../src/core/errors.ts';
import { type Endpoint, endpointText, parseEndpoint } from '../../src/envoy/endpoint.ts';

const GOOD: readonly [n: number, text: string, endpoint: Endpoint][] = [
  [1, '127.0.0.1:9001', { kind: 'tcp', host: '127.0.0.1', port: 9001 }],
  [2, '127.8.8.8:0', { kind: 'tcp', host: '127.8.8.8', port: 0 }],
  [3, '[::1]:9001', { kind: 'tcp', host: '::1', port: 9001 }],
  [4, 'localhost:65535', { kind: 'tcp', host: 'localhost', port: 65_535 }],
  [5, 'unix:/run/tollgate/authz.sock', { kind: 'unix', path: '/run/tollgate/authz.sock' }],
];

for (const [n, text, endpoint] of GOOD) {
  test(`endpoint ${n}: ${text}`, () => {
    assert.deepEqual(parseEndpoint(text), endpoint);
    assert.equal(endpointText(endpoint), text);
  });
}

const BAD: readonly [n: number, text: string, why: RegExp][] = [
  [1, '', /must be `HOST:PORT`/],
  [2, '9001', /must be `HOST:PORT`/],
  [3, '127.0.0.1', /must be `HOST:PORT`/],
  [4, '127.0.0.1:65536', /must be `HOST:PORT`/],
  [5, '127.0.0.1:-1', /must be `HOST:PORT`/],
  [6, '::1:9001', /must be `HOST:PORT`/],
  [7, '0.0.0.0:9001', /not a loopback address/],
  [8, '[::]:9001', /not a loopback address/],
  [9, '10.0.0.7:9001', /not a loopback address/],
  [10, 'tollgate.internal:9001', /not a loopback address/],
  [11, 'unix:run/authz.sock', /must be absolute/],
  [12, `unix:/${'x'.repeat(103)}`, /at most 103 bytes/],
];

for (const [n, text, why] of BAD) {
  test(`bad endpoint ${n}: \`${text.slice(0, 30)}\` is refused`, () => {
    assert.throws(
      () => parseEndpoint(text),
      (error) => error instanceof TollgateError && error.code === 'settings_invalid' && why.test(error.message),
    );
  });
}

test('another address must be asked for', () => {
  assert.deepEqual(parseEndpoint('0.0.0.0:9001', { exposed: true }), { kind: 'tcp', host: '0.0.0.0', port: 9001 });
});
