/**
 * A process that sends Checks over one connection and tells how they were answered: so that neither the caller whose times
 * are taken nor Tollgate waits for whoever floods it. `startSender` starts it; run as a program it is that process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../support/scope.ts';
import { callOf, type HostileForm } from './hostile-calls.ts';

/** What is to be sent next, and at which pace; several forms in turn. */
export interface SendOrder {
  /** A Unix socket; of the first order. */
  readonly socket: string;
  readonly forms: readonly (HostileForm | { readonly what: string; readonly request: Uint8Array })[];
  readonly perSecond: number;
  readonly calls: number;
}

export interface SendReport {
  readonly seconds: number;
  /** By form: calls that were allowed, and refused. */
  readonly allowed: readonly number[];
  readonly refused: readonly number[];
  /** Calls that were put off, because the process that serves was behind. */
  readonly overloaded: number;
  /** Calls without an answer. */
  readonly failed: number;
  /** Of each call from when it was sent until its answer was there, ms. */
  readonly times: Float64Array;
}

/** Sends what it is told to; one order after the other. */
export interface Sender {
  send(order: SendOrder): Promise<SendReport>;
}

export async function startSender(scope: Scope): Promise<Sender> {
  const child = fork(import.meta.filename, { serialization: 'advanced' });
  scope.after(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return { send: (order) => ask(child, order) };
}

async function ask(child: ChildProcess, order: SendOrder): Promise<SendReport> {
  const ended = new AbortController();
  const gone = (): void => ended.abort(new Error('the sender ended without a report'));
  child.once('exit', gone);
  try {
    child.send(order);
    const [report] = (await once(child, 'message', { signal: ended.signal })) as [SendReport];
    return report;
  } finally {
    child.removeListener('exit', gone);
  }
}

const PATH = '/envoy.service.auth.v3.Authorization/Check';
const FRAME_HEAD_BYTES = 5;
/** CheckResponse `status {code: 0}`, explicit, first; a refusal has another code there. */
const ALLOWED = Buffer.from([0x0a, 0x02, 0x08, 0x00]);
/** As many calls wait for an answer at most; one that would be more is sent later. */
const AT_ONCE_MAX = 400;

function frameOf(form: SendOrder['forms'][number]): Buffer {
  const message = 'fill' in form ? callOf(form) : form.request;
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

type Answer = 'allowed' | 'refused' | 'overloaded' | 'failed';

function check(session: ClientHttp2Session, frame: Buffer): Promise<Answer> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '10S',
    });
    let first: Buffer | undefined;
    stream.on('data', (bytes: Buffer) => {
      first ??= bytes;
    });
    stream.once('error', () => resolve('failed'));
    stream.once('close', () => resolve(first === undefined ? 'failed' : answerOf(first)));
    stream.end(frame);
  });
}

function answerOf(frame: Buffer): Answer {
  if (frame.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + ALLOWED.length).equals(ALLOWED)) return 'allowed';
  return frame.includes('overloaded') ? 'overloaded' : 'refused';
}

async function run(session: ClientHttp2Session, { forms, perSecond, calls }: SendOrder): Promise<SendReport> {
  const counts = { allowed: forms.map(() => 0), refused: forms.map(() => 0) };
  const times = new Float64Array(calls);
  const bad = { overloaded: 0, failed: 0 };
  let waiting = 0;
  const one = async (number: number): Promise<void> => {
    const form = number % forms.length;
    const frame = frameOf(forms[form]!);
    const sentMs = performance.now();
    waiting++;
    const answer = await check(session, frame);
    waiting--;
    times[number] = performance.now() - sentMs;
    if (answer === 'failed' || answer === 'overloaded') bad[answer]++;
    else counts[answer][form]!++;
  };
  const startMs = performance.now();
  let sent = 0;
  while (sent < calls) {
    const due = Math.min(calls, Math.floor(((performance.now() - startMs) / 1000) * perSecond) + 1);
    while (sent < due && waiting < AT_ONCE_MAX) void one(sent++);
    await sleep(1);
  }
  while (waiting > 0) await sleep(1);
  return { ...counts, ...bad, times, seconds: (performance.now() - startMs) / 1000 };
}

if (import.meta.main) {
  let session: ClientHttp2Session | undefined;
  process.once('disconnect', () => process.exit());
  process.on('message', (order: SendOrder) => {
    session ??= connect('http://tollgate', { createConnection: () => connectSocket(order.socket) });
    run(session, order).then((report) => process.send?.(report));
  });
  process.send?.('ready');
}
