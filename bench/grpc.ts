/** Check over gRPC: our whole handler beside handlers that do nothing but decode and encode as much. */
import { systemClock } from '../src/core/clock.ts';
import type { Allow, Decision } from '../src/decision/decision.ts';
import type { UnaryMethod } from '../src/envoy/rpc.ts';
import { listen } from '../src/envoy/transport.ts';
import { encodeCheckResponse } from '../src/envoy/wire/check-response.ts';
import { holdToFields } from '../src/ledger/fields.ts';
import {
  type Asked,
  type Decide,
  decodeOurs,
  equalWork,
  protoLoader,
  protoLoaderWork,
  requestOf,
  tollgate,
} from './grpc-handlers.ts';
import { h2loadOnPath, load } from './grpc-load.ts';
import { type Figure, figureOf, measure } from './report.ts';

const FRAME_HEAD_BYTES = 5;

export interface GrpcBenchOptions {
  /** A call that `decide` allows each time: its limits must have room for all calls of a round at once, some 30,000. */
  readonly asked: Asked;
  /** Gives back what an allow holds. Called between rounds, when nobody measures. */
  release(decision: Decision): void;
  /** Length of one round. Default 2. */
  readonly seconds?: number;
  /** Rounds of each handler, in turn, after one that warms up. Default 3. */
  readonly rounds?: number;
}

interface Round {
  readonly cpuUs: number;
  readonly perSecond: number;
}

/**
 * Measures. `decide` is what the service calls. Figures: CPU of this process for one call, all threads, by handler; the rate
 * that one core would serve of it; and the share of the equal-work handler's rate that is left. The rate that was seen on
 * this machine stands beside it: the client takes its part of the cores. Throws if an answer is not an allow.
 */
export async function grpcBench(decide: Decide, options: GrpcBenchOptions): Promise<readonly Figure[]> {
  const request = requestOf(options.asked);
  const allow = await allowOf(decide, request);
  const made: Decision[] = [];
  const handlers = new Map<string, UnaryMethod>([
    ['Tollgate', tollgate(decide, made)],
    ['equal work', equalWork(allow)],
    ['equal work, proto-loader', protoLoaderWork(allow)],
  ]);
  options.release(allow);
  const rounds = await play(handlers, {
    request,
    seconds: options.seconds ?? 2,
    rounds: options.rounds ?? 3,
    between: () => releaseAll(made, options.release),
  });
  return [...(await codecs(request, allow)), ...figures(rounds), shareOf(rounds)];
}

async function allowOf(decide: Decide, request: Buffer): Promise<Allow> {
  const decision = await decide(decodeOurs(request));
  if (decision.outcome === 'deny') throw new Error(`the call is refused: ${decision.message}`);
  return decision;
}

function releaseAll(made: Decision[], release: (decision: Decision) => void): void {
  for (const decision of made) {
    if (decision.outcome === 'deny') throw new Error(`a call was refused: ${decision.message}`);
    release(decision);
  }
  made.length = 0;
}

/** Rounds in turn, so that what the machine does meanwhile falls on all handlers alike. */
async function play(
  handlers: ReadonlyMap<string, UnaryMethod>,
  { request, seconds, rounds, between }: { request: Buffer; seconds: number; rounds: number; between: () => void },
): Promise<ReadonlyMap<string, Round[]>> {
  const frame = Buffer.concat([Buffer.alloc(FRAME_HEAD_BYTES), request]);
  frame.writeUInt32BE(request.length, 1);
  const played = new Map<string, Round[]>([...handlers.keys()].map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, method] of handlers) {
      const found = await once(method, { frame, seconds });
      between();
      if (round > 0) played.get(name)?.push(found);
    }
  }
  return played;
}

async function once(method: UnaryMethod, { frame, seconds }: { frame: Buffer; seconds: number }): Promise<Round> {
  const listener = await listen({
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [method],
    receiveBytesMax: frame.length + 1024,
    clock: systemClock,
  });
  try {
    if (listener.endpoint.kind !== 'tcp') throw new Error('not tcp');
    const before = process.cpuUsage();
    const report = await load({ port: listener.endpoint.port, path: method.path, frame, seconds });
    const used = process.cpuUsage(before);
    if (report.failed > 0)
      throw new Error(`${report.failed} of ${report.calls + report.failed} calls were not allowed`);
    return { cpuUs: (used.user + used.system) / report.calls, perSecond: report.calls / report.seconds };
  } finally {
    await listener.close({ deadlineMs: 1000 });
  }
}

function figures(rounds: ReadonlyMap<string, readonly Round[]>): Figure[] {
  const client = h2loadOnPath() ? 'h2load' : 'child client';
  return [...rounds].flatMap(([name, found]) => [
    figureOf(
      found.map(({ cpuUs }) => cpuUs),
      { name: `Check over gRPC, CPU a call: ${name}`, unit: 'µs' },
    ),
    figureOf(
      found.map(({ cpuUs }) => 1e6 / cpuUs),
      { name: `Check over gRPC, one core's rate: ${name}`, unit: '/s' },
    ),
    figureOf(
      found.map(({ perSecond }) => perSecond),
      { name: `Check over gRPC, seen beside the ${client}: ${name}`, unit: '/s' },
    ),
  ]);
}

/** Round by round, so that each share is of two neighbours in time. */
function shareOf(rounds: ReadonlyMap<string, readonly Round[]>): Figure {
  const ours = rounds.get('Tollgate') ?? [];
  const equal = rounds.get('equal work') ?? [];
  return figureOf(
    ours.map(({ cpuUs }, i) => (100 * equal[i]!.cpuUs) / cpuUs),
    { name: 'Check over gRPC, share of the equal-work rate', unit: '%', bar: '≥ 80 %' },
  );
}

async function codecs(request: Buffer, allow: Allow): Promise<Figure[]> {
  const options = { holdToFields, jitter: 0 };
  const fields = holdToFields(allow.hold);
  const bytes = encodeCheckResponse(allow, options);
  const answer = protoLoader.responseDeserialize(bytes);
  const batch = { batch: 64, timeMs: 400 };
  const sizes = `${request.length} B in, ${bytes.length} B out`;
  return [
    await measure(`CheckRequest decoded (${sizes})`, () => decodeOurs(request), batch),
    await measure('CheckRequest decoded by proto-loader', () => protoLoader.requestDeserialize(request), batch),
    await measure(
      'CheckResponse encoded',
      () => encodeCheckResponse(allow, { holdToFields: () => fields, jitter: 0 }),
      batch,
    ),
    await measure(
      'CheckResponse encoded, with the fields of its hold',
      () => encodeCheckResponse(allow, options),
      batch,
    ),
    await measure('CheckResponse encoded by proto-loader', () => protoLoader.responseSerialize(answer), batch),
  ];
}
