import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lifecycle } from '../../src/app/lifecycle.ts';
import { Health } from '../../src/envoy/health.ts';
import { decode, encode } from '../envoy/protos.ts';

/** What gRPC health says of the whole server: 1 serving, 2 not. */
function told(health: Health): unknown {
  const request = encode('grpc.health.v1.HealthCheckRequest', { service: '' });
  const answer = health.check.handle(request, { deadlineMs: 0, cancelled: false, onCancelled: () => {} });
  assert.ok(!(answer instanceof Promise));
  return decode('grpc.health.v1.HealthCheckResponse', Buffer.from(answer))['status'];
}

test('ready only while it serves, and gRPC health says the same', () => {
  const health = new Health([]);
  const lifecycle = new Lifecycle(health);
  assert.deepEqual(lifecycle.ready(), { ok: false, why: ['listeners are not bound yet'] });
  for (const [state, ok, why] of [
    ['serving', true, []],
    ['draining', false, ['the process is ending']],
    ['stopped', false, ['the process has stopped deciding']],
  ] as const) {
    lifecycle.enter(state);
    assert.deepEqual([lifecycle.state, lifecycle.ready()], [state, { ok, why }]);
    assert.equal(told(health), ok ? 1 : 2);
  }
});

test('it never goes back', () => {
  const lifecycle = new Lifecycle(new Health([]));
  lifecycle.enter('draining');
  lifecycle.enter('serving');
  assert.equal(lifecycle.state, 'draining');
});

test('what readiness needs is asked each time, and gRPC health follows when it is told', () => {
  const health = new Health([]);
  const lifecycle = new Lifecycle(health);
  lifecycle.enter('serving');
  let unmet: string | undefined = 'no policy is loaded';
  lifecycle.needs(() => unmet);
  assert.deepEqual(lifecycle.ready(), { ok: false, why: ['no policy is loaded'] });
  assert.equal(told(health), 2);
  unmet = undefined;
  assert.equal(lifecycle.ready().ok, true);
  lifecycle.update();
  assert.equal(told(health), 1);
});
