import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { createLog, EventLog } from '../../src/telemetry/log.ts';

function capture() {
  const lines: string[] = [];
  const log = createLog({ level: 'trace', stream: { write: (line) => lines.push(line) } });
  const last = () => JSON.parse(lines.at(-1)!) as Record<string, unknown>;
  return { lines, log, last };
}

describe('log', () => {
  test('1 a line is one JSON object with time, level by name, pid, fields and message', () => {
    const { lines, log, last } = capture();
    log.warn({ route: 'chat', tokens: 12 }, 'hello');
    assert.equal(lines[0]!.indexOf('\n'), lines[0]!.length - 1);
    const { time, ...rest } = last();
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, { level: 'warn', pid: process.pid, route: 'chat', tokens: 12, msg: 'hello' });
  });

  test('2 levels below are silent', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'error', stream: { write: (line) => lines.push(line) } });
    log.warn('no');
    log.error('yes');
    assert.equal(lines.length, 1);
  });

  test('3 a canary reaches no line, whichever way it comes', () => {
    const { lines, log } = capture();
    const { key } = mintApiKey('prod');
    log.info(`got ${key} from a client`);
    log.info('got %s', key);
    log.info({ text: `a ${key}` });
    log.info({ [key]: 1 }, 'as a name');
    log.info({ deep: { list: [{ text: key }] } });
    log.info(new Map([['text', key]]), 'map');
    log.error(new Error(`boom ${key}`));
    log.error({ err: new Error('outer', { cause: new Error(key) }) });
    log.error({ err: Object.assign(new Error('x'), { config: { body: key } }) });
    log.child({ credentialText: key }).info('bound');
    log.child({ authorization: 'opaque-canary' }).info('bound by name');
    log.info({ headers: { Authorization: 'opaque-canary', 'X-Api-Key': 'opaque-canary' } });
    assert.equal(lines.length, 12);
    const secret = key.split('_')[3]!;
    for (const line of lines) {
      assert.ok(!line.includes(secret), line);
      assert.ok(!line.includes('opaque-canary'), line);
      JSON.parse(line);
    }
  });

  test('4 a process that ends at once has written its lines', () => {
    const module = JSON.stringify(new URL('../../src/telemetry/log.ts', import.meta.url).href);
    const script = `import(${module}).then(({ createLog }) => { createLog().fatal('last words'); process.exit(3); });`;
    const { status, stderr, stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    assert.equal(status, 3);
    assert.equal(stdout, '');
    assert.equal(JSON.parse(stderr).msg, 'last words');
  });
});

describe('events', () => {
  function events() {
    const captured = capture();
    let nowMs = 0;
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
    return { ...captured, events: new EventLog(captured.log, clock), at: (ms: number) => (nowMs = ms) };
  }

  test('5 of one code five in a minute, then a count', () => {
    const { events: log, lines, last, at } = events();
    for (let i = 0; i < 100; i++) log.write('warn', 'credential_refused', { reason: 'credential_unknown' });
    assert.equal(lines.length, 5);
    at(59_999);
    assert.equal(log.write('warn', 'credential_refused'), false);
    at(60_000);
    assert.equal(log.write('warn', 'credential_refused'), true);
    assert.equal(last()['suppressed'], 96);
    assert.equal(log.write('warn', 'credential_refused'), true);
    assert.equal(last()['suppressed'], undefined);
  });

  test('6 codes do not share', () => {
    const { events: log, lines } = events();
    for (let i = 0; i < 10; i++) log.write('info', 'a');
    assert.equal(log.write('info', 'b', { n: 1 }), true);
    assert.equal(lines.length, 6);
  });

  test('7 nor do kinds of a code, and each has as many as were asked for', () => {
    const { log, lines } = capture();
    const clock = { nowMs: () => 0, monotonicMs: () => 0 };
    const many = new EventLog(log, clock, { perMinute: 7 });
    for (let i = 0; i < 10; i++) many.write('warn', 'credential_refused', {}, 'credential_missing');
    assert.equal(many.write('warn', 'credential_refused', {}, 'credential_revoked'), true);
    assert.equal(lines.length, 8);
    assert.ok(lines.every((line) => line.includes('"code":"credential_refused"')));
  });
});
