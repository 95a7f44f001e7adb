import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOfDayMs, isZone, zoneNames } from '../../src/policy/zone.ts';

test('zones are names of the runtime, written as there; aliases are names too', () => {
  for (const zone of [
    'UTC',
    'Europe/Berlin',
    'Asia/Kathmandu',
    'Europe/Kyiv',
    'Etc/GMT+5',
    'America/Argentina/Ushuaia',
  ]) {
    assert.ok(isZone(zone), zone);
    assert.ok(isZone(zone), `${zone} again`);
  }
  for (const zone of [
    '',
    'utc',
    'europe/berlin',
    'EUROPE/BERLIN',
    'Europe/berlin',
    'Europe/Berln',
    'Berlin',
    'GMT',
    '+02:00',
    'Europe/Berlin ',
    'Europe/../Berlin',
    '__proto__',
  ]) {
    assert.ok(!isZone(zone), zone);
    assert.ok(!isZone(zone), `${zone} again`);
  }
});

test('every name that is suggested is one', () => {
  assert.deepEqual(
    zoneNames().filter((name) => !isZone(name)),
    [],
  );
});

test('a day ends with the next one', () => {
  assert.equal(endOfDayMs('2026-12-31', 'UTC'), Date.UTC(2027, 0, 1));
  assert.equal(endOfDayMs('2028-02-28', 'Pacific/Auckland'), Date.UTC(2028, 1, 28, 11));
});
