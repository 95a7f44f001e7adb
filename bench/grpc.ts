/** Check over gRPC: our whole handler beside handlers that do nothing but decode and encode as much. */
import { systemClock } from '../src/core/clock.ts';
import type { Call } from '../src/decision/call.ts';
import type { Allow, Decision } from '../src/decision/decision.ts';
import type { UnaryMethod } from '../src/envoy/rpc.ts';
import { listen } from '../src/envoy/transport.ts';
import { encodeCheckResponse } from '../src/envoy/wire/check-response.ts';
import { holdToFields } from '../src/ledger/fields.ts';
import { askedOf, decodeOurs, equalWork, protoLoader, protoLoaderWork, requestOf, tollgate } from './grpc-handlers.ts';
import { h2loadOnPath, load } from './grpc-load.ts';
import { type BenchOptions, type Figure, figureOf, measure } from './report.ts';
import { openRig, type Rig } from './rig.ts';

const FRAME_HEAD_BYTES = 5;
const OURS = 'Tollgate';
const OURS_SQLITE = 'Tollgate with its SQLite thread';
const EQUAL = 'equal work';

/** What answers, and what is done between its rounds, unmeasured: gives back what it holds. */
interface Contender {
  readonly method: UnaryMethod;
  rest(): Promise<void>;
}

interface Round {
  /** CPU of this process for one call, all threads. */
  readonly cpuUs: number;
  /** Of it, the thread that answers. */
  readonly mainUs: number;
  readonly perSecond: number;
}

/**
 * CPU of this process for one call by handler, the rate that one core would serve of it, and the share of the equal-work
 * handler's rate that is left. The rate that was seen stands beside it: the client takes its part of the cores. Throws if
 * an answer is not an allow.
 */
export async function benchGrpc({ quick }: BenchOptions): Promise<readonly Figure[]> {
  const rigs = [await openRig({ nested: 5, ledger: 'none' }), await openRig({ nested: 5, ledger: 'sqlite' })] as const;
  try {
    const [bare, sqlite] = rigs;
    const request = requestOf(askedOf(bare));
    const allow = await allowOf(bare, request);
    const still = async (): Promise<void> => {};
    const contenders = new Map<string, Contender>([
      [OURS, contenderOf(bare)],
      [EQUAL, { method: equalWork(allow), rest: still }],
      [OURS_SQLITE, contenderOf(sqlite)],
      ['equal work by proto-loader', { method: protoLoaderWork(allow), rest: still }],
    ]);
    const requests = new Map([[OURS_SQLITE, requestOf(askedOf(sqlite))]]);
    const plan = quick ? { seconds: 1, warmUp: 0, rounds: 1 } : { seconds: 2, warmUp: 1, rounds: 4 };
    const rounds = await play(contenders, { request: (name) => requests.get(name) ?? request, ...plan });
    return [...shares(rounds), ...figures(rounds), ...(await codecs(request, allow, quick))];
  } finally {
    for (const rig of rigs) await rig.close();
  }
}

/** Whatever is no allow is answered as a refusal, which is cheaper: one ends the bench. */
function contenderOf(rig: Rig): Contender {
  let refused: string | undefined;
  const decide = (call: Call): Decision => {
    const decision = rig.decide(call);
    if (decision instanceof Promise) throw new Error('a decision had to wait');
    if (decision.outcome === 'deny') refused ??= decision.message;
    return decision;
  };
  return {
    method: tollgate(decide),
    rest: async () => {
      if (refused !== undefined) throw new Error(`a call was refused: ${refused}`);
      rig.release();
      await rig.ledger?.flush();
    },
  };
}

async function allowOf(rig: Rig, request: Buffer): Promise<Allow> {
  const decision = await rig.decide(decodeOurs(request));
  if (decision.outcome === 'deny') throw new Error(`the call is refused: ${decision.message}`);
  return decision;
}

/** Rounds in turn, so that what the machine does meanwhile falls on all handlers alike. */
async function play(
  contenders: ReadonlyMap<string, Contender>,
  {
    request,
    seconds,
    warmUp,
    rounds,
  }: { request: (name: string) => Buffer; seconds: number; warmUp: number; rounds: number },
): Promise<ReadonlyMap<string, Round[]>> {
  const played = new Map<string, Round[]>([...contenders.keys()].map((name) => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    for (const [name, { method, rest }] of contenders) {
      const found = await once(method, { frame: framed(request(name)), seconds });
      if (round >= 0) played.get(name)?.push(found);
      await rest();
    }
  }
  return played;
}

function framed(request: Buffer): Buffer {
  const frame = Buffer.concat([Buffer.alloc(FRAME_HEAD_BYTES), request]);
  frame.writeUInt32BE(request.length, 1);
  return frame;
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
    const mainBefore = process.threadCpuUsage();
    const report = await load({ port: listener.endpoint.port, path: method.path, frame, seconds });
    const used = process.cpuUsage(before);
    const main = process.threadCpuUsage(mainBefore);
    if (report.failed > 0)
      throw new Error(`${report.failed} of ${report.calls + report.failed} calls were not allowed`);
    return {
      cpuUs: (used.user + used.system) / report.calls,
      mainUs: (main.user + main.system) / report.calls,
      perSecond: report.calls / report.seconds,
    };
  } finally {
    await listener.close({ deadlineMs: 1000 });
  }
}

function figures(rounds: ReadonlyMap<string, readonly Round[]>): Figure[] {
  const client = h2loadOnPath() ? 'h2load' : 'a child client';
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
      { name: `Check over gRPC, seen beside ${client}: ${name}`, unit: '/s' },
    ),
  ]);
}

/** Round by round, so that each share is of two neighbours in time. With the writer's thread, that of the thread that answers. */
function shares(rounds: ReadonlyMap<string, readonly Round[]>): Figure[] {
  const equal = rounds.get(EQUAL) ?? [];
  const share = (name: string, cost: 'cpuUs' | 'mainUs'): number[] =>
    (rounds.get(name) ?? []).map((round, i) => (100 * equal[i]![cost]) / round[cost]);
  return [
    figureOf(share(OURS, 'cpuUs'), {
      name: 'Check over gRPC, share of the equal-work rate',
      unit: '%',
      bar: { least: 80 },
    }),
    figureOf(share(OURS_SQLITE, 'mainUs'), {
      name: 'Check over gRPC, share of the equal-work rate, handing over to SQLite, main thread',
      unit: '%',
      bar: { least: 80 },
    }),
  ];
}

async function codecs(request: Buffer, allow: Allow, quick: boolean): Promise<Figure[]> {
  const options = { holdToFields, jitter: 0 };
  const fields = holdToFields(allow.hold);
  const bytes = encodeCheckResponse(allow, options);
  const answer = protoLoader.responseDeserialize(bytes);
  const batch = { batch: 64, timeMs: quick ? 100 : 400 };
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
