/** How long the worst bodies of 4 MiB hold the thread that decides: decode, decide, encode, as the wire hands them over. */
import type { Awaitable } from '../src/core/units.ts';
import type { UnaryCall } from '../src/envoy/rpc.ts';
import { HEAVY_BODIES, HEAVY_PATHS, HEAVY_ROUTES } from '../test/doors/heavy-bodies.ts';
import { requestOf, tollgate } from './grpc-handlers.ts';
import { type BenchOptions, type Figure, figureOf } from './report.ts';
import { openRig } from './rig.ts';

const BAR_MS = 25;
const ROUNDS = 7;
/** So many of the worst are shown by name. */
const SHOWN = 5;

const CALL: UnaryCall = { deadlineMs: Number.POSITIVE_INFINITY, cancelled: false, onCancelled: () => {} };

/**
 * Elapsed time, which is what a stall is (where CPU time counts in ticks of 4 ms it says nothing); the median leaves out what
 * other processes took. The shapes in turn, so that none has the code warm for itself.
 */
export async function benchStall({ quick }: BenchOptions): Promise<readonly Figure[]> {
  const rig = await openRig({ nested: 5, ledger: 'none', routes: HEAVY_ROUTES.map((line) => `  ${line}\n`).join('') });
  try {
    const { handle } = tollgate(rig.decide);
    const samples = HEAVY_BODIES.map(() => [] as number[]);
    for (let round = quick ? ROUNDS - 1 : 0; round < ROUNDS; round++) {
      for (const [index, { route, body }] of HEAVY_BODIES.entries()) {
        const headers = [
          ['authorization', rig.authorization],
          ['content-type', 'application/json'],
        ] as const;
        const request = requestOf({ path: HEAVY_PATHS[route], headers, body: body() });
        samples[index]!.push(heldMs(() => handle(request, CALL)));
        rig.release();
      }
    }
    const figures = HEAVY_BODIES.map(({ route, what }, index) =>
      figureOf(samples[index]!, { name: `4 MiB, ${route}: ${what}`, unit: 'ms', bar: { most: BAR_MS } }),
    );
    const most = process.env['STALL_ALL'] === undefined ? SHOWN : figures.length;
    return figures.toSorted((a, b) => b.p50 - a.p50).slice(0, most);
  } finally {
    await rig.close();
  }
}

function heldMs(run: () => Awaitable<Uint8Array>): number {
  const startMs = performance.now();
  if (run() instanceof Promise) throw new Error('a key is proved at once');
  return performance.now() - startMs;
}
