/** Reading, checking and compiling a large bundle: what a reload costs off the hot path. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadBundle } from '../src/policy/bundle.ts';
import { SAMPLE } from './bundle.ts';
import { type BenchOptions, type Figure, figureOf } from './report.ts';
import { removeTemp, tempDir } from './temp.ts';

const CUSTOMERS = 100;
const ACCOUNTS_EACH = 100;

/** Loads a bundle of 10,000 accounts in 100 files: the sample's plans, and a limit of its own for every fifth account. */
export async function benchPolicy({ quick }: BenchOptions): Promise<readonly Figure[]> {
  const dir = await tempDir();
  try {
    await writeBundle(dir);
    const samples: number[] = [];
    // The first round warms up.
    for (let round = 0; round <= (quick ? 1 : 7); round++) {
      const startMs = performance.now();
      const { policy, problems } = await loadBundle(dir);
      const tookMs = performance.now() - startMs;
      if (policy === undefined) throw new Error(`the bundle is bad: ${JSON.stringify(problems[0])}`);
      if (policy.account('bench-99/team-99')?.declared !== true) throw new Error('the last account is missing');
      if (round > 0) samples.push(tookMs);
    }
    return [figureOf(samples, { name: 'load of a bundle of 10,000 accounts', unit: 'ms', bar: { most: 2000 } })];
  } finally {
    await removeTemp(dir);
  }
}

async function writeBundle(dir: string): Promise<void> {
  for (const file of ['plans.yaml', 'traffic.yaml', 'models.yaml']) await cp(join(SAMPLE, file), join(dir, file));
  await writeFile(join(dir, 'access.yaml'), accessText());
  await mkdir(join(dir, 'accounts'));
  for (let customer = 0; customer < CUSTOMERS; customer++) {
    await writeFile(join(dir, 'accounts', `bench-${customer}.yaml`), accountsText(`bench-${customer}`));
  }
}

function accessText(): string {
  const everyone = Array.from({ length: CUSTOMERS }, (_, customer) => `bench-${customer}/**`).join(', ');
  return `owner: security@bench.example
environment: prod
rules:
  - {name: default, allow: {accounts: [${everyone}], routes: [chat, messages, models]}}
`;
}

function accountsText(customer: string): string {
  const head = `${customer}:
  plan: growth
  owner: owner@${customer}.example
  timezone: Europe/Berlin
  month_starts: 1
  unlisted: allow
  tags: {cost_center: "${customer}"}
`;
  const teams = Array.from({ length: ACCOUNTS_EACH - 1 }, (_, index) => {
    const limits =
      index % 5 === 0 ? '  limits: [{name: team-spend, max: 200 USD per month, warn: [80%], enforce: observe}]\n' : '';
    return `${customer}/team-${index + 1}:
  owner: team-${index + 1}@${customer}.example
  tags: {cost_center: "${index + 1}"}
${limits}`;
  });
  return head + teams.join('');
}
