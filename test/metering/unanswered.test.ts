import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RequestIndex } from '../../src/metering/requests.ts';
import { NOTHING, openDesk, RESERVED } from './desk.ts';
import { entryOf } from './fixtures.ts';

/** Envoy's last word on a request for which it did not wait, or could not. */
const GIVEN_UP = {
  decision: undefined,
  status: 0,
  details: 'downstream_remote_disconnect',
  attempts: 0,
  firstByte: false,
};

describe('a call that Envoy gave up on before it had our answer', () => {
  test('1 the entry finds the hold by the request id: all of it comes back, one end', async (t) => {
    const desk = await openDesk(t);
    const hold = await desk.reserve();
    desk.meter.admit(hold, 'request-1');
    assert.deepEqual(await desk.used(), RESERVED);
    desk.meter.take(entryOf({ ...GIVEN_UP, requestId: 'request-1' }));
    assert.deepEqual(await desk.used(), NOTHING);
    assert.deepEqual(await desk.ends(hold), ['0 released hold 0 0']);
    desk.meter.take(entryOf({ ...GIVEN_UP, requestId: 'request-1' }));
    assert.equal(desk.meter.counts().withdrawn, 1);
  });

  test('2 the entry comes before the decision: the hold goes back as soon as it is made', async (t) => {
    const desk = await openDesk(t);
    desk.meter.take(entryOf({ ...GIVEN_UP, requestId: 'request-2' }));
    const hold = await desk.reserve();
    desk.meter.admit(hold, 'request-2');
    assert.deepEqual(await desk.used(), NOTHING);
  });

  test('3 what was sent upstream is never given back so', async (t) => {
    const desk = await openDesk(t);
    desk.meter.admit(await desk.reserve(), 'request-3');
    desk.meter.take(entryOf({ ...GIVEN_UP, attempts: 1, requestId: 'request-3' }));
    assert.deepEqual(await desk.used(), RESERVED);
  });

  test('4 a request id that two open calls carry names neither', async (t) => {
    const desk = await openDesk(t);
    desk.meter.admit(await desk.reserve(), 'twice');
    desk.meter.admit(await desk.reserve(), 'twice');
    const both = await desk.used();
    desk.meter.take(entryOf({ ...GIVEN_UP, requestId: 'twice' }));
    assert.deepEqual(await desk.used(), both);
  });

  test('5 an entry with neither decision nor request id is counted, nothing else', async (t) => {
    const desk = await openDesk(t);
    desk.meter.admit(await desk.reserve(), 'request-5');
    desk.meter.take(entryOf(GIVEN_UP));
    assert.deepEqual(await desk.used(), RESERVED);
    assert.equal(desk.meter.counts().ignored, 1);
  });

  test('6 a request that ended is remembered for a minute', () => {
    let nowMs = 1;
    const index = new RequestIndex(() => nowMs);
    assert.equal(index.ended('a'), undefined);
    assert.equal(index.open('a', 'decision'), false);
    index.close('a');
    assert.equal(index.ended('b'), undefined);
    nowMs = 60_002;
    assert.equal(index.open('b', 'decision'), true);
  });
});
