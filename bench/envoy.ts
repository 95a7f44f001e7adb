/** What Tollgate adds to a call through a real Envoy: the sample with it, beside the sample without it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { providersAt, writeBootstrap } from '../tools/envoy/bootstrap.ts';
import { findEnvoy } from '../tools/envoy/find.ts';
import { startEnvoy } from '../tools/envoy/start.ts';
import { writeBenchBundle } from './bundle.ts';
import { startProgram } from './child.ts';
import { askedOf } from './grpc-handlers.ts';
import { type HttpReport, startHttpLoad } from './http-load.ts';
import { type BenchOptions, type Figure, figureOf, percentile } from './report.ts';
import { removeTemp, tempDir } from './temp.ts';

const PER_SECOND = 500;
/** Rates of the seconds before: processes that have just started are not what is measured. */
const WARM_UP = [20, 100, 400];
const PROGRAMS = new URL('..', import.meta.url).pathname;

interface Round {
  /** Ascending, ms. */
  readonly latenciesMs: readonly number[];
  /** Percent of the calls that were not answered 200. */
  readonly unserved: number;
}

/** One Envoy and what is measured of it. */
interface Gateway {
  readonly port: number;
  readonly rounds: Round[];
}

interface Setup {
  readonly tollgate: Gateway;
  readonly plain: Gateway;
  readonly authorization: string;
}

/**
 * Latency at 500 calls a second, in rounds that take turns, before one stub provider. Tollgate, the stub and the client are
 * processes of their own. The difference is that of two neighbouring rounds.
 */
export async function benchEnvoy({ quick }: BenchOptions): Promise<readonly Figure[]> {
  const undos: (() => unknown)[] = [];
  try {
    const { tollgate, plain, authorization } = await setUp(undos);
    const load = startHttpLoad();
    undos.push(() => load.stop());
    const { path, headers, body } = askedOf({ authorization });
    const order = { path, headers: Object.fromEntries(headers), body };
    for (const perSecond of quick ? WARM_UP.slice(1, 2) : WARM_UP) {
      for (const { port } of [plain, tollgate]) await load.ask({ ...order, port, perSecond, seconds: 1 });
    }
    const rounds = quick ? 1 : 6;
    for (let round = 0; round < rounds; round++) {
      for (const { port, rounds: found } of [plain, tollgate]) {
        found.push(roundOf(await load.ask({ ...order, port, perSecond: PER_SECOND, seconds: quick ? 2 : 4 })));
      }
    }
    return figures(tollgate, plain);
  } finally {
    for (const undo of undos.reverse()) await undo();
  }
}

function roundOf({ latenciesMs, unserved }: HttpReport): Round {
  return {
    latenciesMs: [...latenciesMs].sort((a, b) => a - b),
    unserved: (100 * unserved) / latenciesMs.length,
  };
}

async function setUp(undos: (() => unknown)[]): Promise<Setup> {
  const bin = await findEnvoy();
  const dir = await tempDir();
  undos.push(() => removeTemp(dir));
  const bundle = await writeBenchBundle(dir, 5);
  const stub = await startProgram([join(PROGRAMS, 'tools/stub/main.ts'), '--port', '0'], /"port":(\d+)/);
  undos.push(() => stub.stop());
  const serve = [join(PROGRAMS, 'src/cli/main.ts'), 'serve', '--config', bundle.path];
  const program = await startProgram(serve, /"code":"serving"/);
  undos.push(() => program.stop());
  const provider = { port: Number(stub.ready[1]) };
  const options = {
    check: { path: bundle.check },
    accessLog: { path: bundle.accessLog },
    providers: providersAt(provider),
    retries: 0,
  };
  const gateway = async (name: string, change: (bootstrap: string) => Promise<void>): Promise<Gateway> => {
    const own = join(dir, name);
    const bootstrap = await writeBootstrap({ ...options, dir: own });
    await change(bootstrap);
    const envoy = await startEnvoy({ bin, bootstrap, dir: own });
    undos.push(() => envoy.stop());
    return { port: envoy.port, rounds: [] };
  };
  return {
    tollgate: await gateway('tollgate', async () => {}),
    plain: await gateway('plain', withoutTollgate),
    authorization: `Bearer ${bundle.key}`,
  };
}

/** Filters and loggers that are there for Tollgate alone, by the ends of their names. */
const OURS = /\.(ext_authz|lua)$/;

interface Manager {
  access_log?: unknown;
  http_filters: { readonly name: string }[];
}

/** Takes ext_authz, the edit filter and the access log out of a bootstrap. */
async function withoutTollgate(bootstrap: string): Promise<void> {
  const root = parse(await readFile(bootstrap, 'utf8')) as {
    static_resources: { listeners: { filter_chains: { filters: { typed_config: Manager }[] }[] }[] };
  };
  const manager = root.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config;
  const before = manager.http_filters.length;
  manager.http_filters = manager.http_filters.filter(({ name }) => !OURS.test(name));
  if (manager.http_filters.length !== before - 2 || manager.access_log === undefined) {
    throw new Error('the sample has not the filters that are to be taken out');
  }
  delete manager.access_log;
  await writeFile(bootstrap, stringify(root, { lineWidth: 0 }));
}

function figures(tollgate: Gateway, plain: Gateway): readonly Figure[] {
  const added = (percent: number): number[] =>
    tollgate.rounds.map(
      (round, i) => percentile(round.latenciesMs, percent) - percentile(plain.rounds[i]!.latenciesMs, percent),
    );
  const all = ({ rounds }: Gateway): number[] => rounds.flatMap(({ latenciesMs }) => latenciesMs);
  const unserved = ({ rounds }: Gateway): number[] => rounds.map((round) => round.unserved);
  const at = `through Envoy at ${PER_SECOND}/s`;
  return [
    figureOf(all(tollgate), { name: `${at}, with Tollgate`, unit: 'ms' }),
    figureOf(all(plain), { name: `${at}, the same without it`, unit: 'ms' }),
    figureOf(added(50), { name: `${at}, added to the p50 of a round`, unit: 'ms' }),
    figureOf(added(99), { name: `${at}, added to the p99 of a round`, unit: 'ms', bar: { most: 10 } }),
    figureOf(unserved(tollgate), { name: `${at}, with Tollgate, not served in a round`, unit: '%' }),
    figureOf(unserved(plain), { name: `${at}, the same without it, not served in a round`, unit: '%' }),
  ];
}
