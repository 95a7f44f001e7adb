/** `tollgate diff`: what another bundle changes for whom. The command itself: cli/diff. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DIFF_PORTS } from '../../src/cli/diff.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import type { Side } from '../../src/policy/diff/change.ts';
import { diffPolicies, type GroupedChange } from '../../src/policy/diff/policies.ts';
import type { Scope } from '../support/scope.ts';
import { bundleWith, policyOf } from './bundles.ts';

type Edit = readonly [file: string, from: string | RegExp, to: string];

async function sideOf(scope: Scope, edits: readonly Edit[] = []): Promise<Side> {
  const dir = await bundleWith(scope, { base: 'example' });
  for (const [file, from, to] of edits) {
    const text = await readFile(join(dir, file), 'utf8');
    const edited = text.replace(from, to);
    assert.notEqual(edited, text, `${file}: nothing to edit`);
    await writeFile(join(dir, file), edited);
  }
  const loaded = await loadBundle(dir);
  return { policy: policyOf(loaded), parts: loaded.parts! };
}

function lineOf({ effect, about, text, count, examples }: GroupedChange): string {
  return `${effect} ${about} ${count} ${examples.join(',')}: ${text}`;
}

const KEY =
  'k7f3q2: {account: acme/search, digest: "hmac-sha256:v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", kind: service, class: interactive, environment: prod, owner: a@acme.example, created: 2026-01-01, expires: 2026-03-31}\n';

describe('diff', () => {
  const rows: readonly { what: string; edits: readonly Edit[]; forth: readonly string[]; back?: readonly string[] }[] =
    [
      { what: 'nothing', edits: [['plans.yaml', 'owner:', 'owner: ']], forth: [], back: [] },
      {
        what: 'a lower cap; a percent follows it',
        edits: [['plans.yaml', '500 USD', '400 USD']],
        forth: ['lose account 1 acme: limit `monthly-spend` lowered: 500.00 USD per month → 400.00 USD per month'],
        back: ['gain account 1 acme: limit `monthly-spend` raised: 400.00 USD per month → 500.00 USD per month'],
      },
      {
        what: 'a rate up and its burst down is neither',
        edits: [['traffic.yaml', '20 requests per second, burst: 40', '25 requests per second, burst: 30']],
        forth: [
          'change account 1 acme: limit `key-burst` changed: 20 requests per second, burst 40 → 25 requests per second, burst 30',
        ],
      },
      {
        what: 'another period: the counters begin anew',
        edits: [['plans.yaml', '500 USD per month', '500 USD per week']],
        forth: [
          'change account 1 acme: limit `monthly-spend` changed: 500.00 USD per month → 500.00 USD per week',
          'anew account 1 acme: limit `monthly-spend`: its counters begin at 0 (unit, period, zone or partition changed)',
        ],
      },
      {
        what: 'another partition: the same',
        edits: [['traffic.yaml', 'max: 60 runs per hour, each: credential', 'max: 60 runs per hour, each: customer']],
        forth: [
          'change account 1 acme: limit `new-runs`: each credential → each customer',
          'anew account 1 acme: limit `new-runs`: its counters begin at 0 (unit, period, zone or partition changed)',
        ],
      },
      {
        what: 'another zone: all calendar windows',
        edits: [['accounts/acme.yaml', 'Europe/Berlin', 'Europe/Paris']],
        forth: [
          'change account 2 acme,acme/search: timezone: Europe/Berlin → Europe/Paris',
          'anew account 1 acme: limit `monthly-spend`: its counters begin at 0 (unit, period, zone or partition changed)',
          'anew account 1 acme: limit `gpt5-daily`: its counters begin at 0 (unit, period, zone or partition changed)',
          'anew account 1 acme: limit `new-runs`: its counters begin at 0 (unit, period, zone or partition changed)',
          'anew account 1 acme/search: limit `team-spend`: its counters begin at 0 (unit, period, zone or partition changed)',
        ],
      },
      {
        what: 'a limit that is gone, or that only watched',
        edits: [['plans.yaml', /^.*name: run-spend.*\n/m, '']],
        forth: ['gain account 1 acme: limit `run-spend` is gone (5.00 USD)'],
        back: ['lose account 1 acme: new limit `run-spend`: 5.00 USD classes agentic; each run'],
      },
      {
        what: 'a limit that only watched is enforced',
        edits: [['accounts/acme.yaml', ', enforce: observe', '']],
        forth: ['lose account 1 acme/search: limit `team-spend` enforce: observe → on'],
        back: ['gain account 1 acme/search: limit `team-spend` enforce: on → observe'],
      },
      {
        what: 'an override ends',
        edits: [['accounts/acme.yaml', /^ {2}overrides:.*\n/m, '']],
        forth: ['lose account 1 acme: limit `gpt5-daily` lowered: 3000000 tokens per day → 2000000 tokens per day'],
      },
      {
        what: 'a model, for declared accounts and those that a rule or nobody names',
        edits: [
          ['plans.yaml', 'models: [gpt-5, gpt-5-mini], classes', 'models: [gpt-5-mini], classes'],
          ['plans.yaml', /^ {4}ladder:(?:.*\n)*?prices/m, 'prices'],
        ],
        forth: [
          'lose account 3 acme,acme/contractors,acme/search: may no longer use model `gpt-5` on route `chat`',
          'change plan 1 growth: step from `gpt-5`: `gpt-5-mini` at 80% of monthly-spend or 100% of gpt5-daily → none',
        ],
      },
      {
        what: 'a class',
        edits: [['plans.yaml', 'classes: [interactive, agentic, batch]}]', 'classes: [interactive, agentic]}]']],
        forth: [
          'lose account 3 acme,acme/contractors,acme/search: may no longer use model `gpt-5` on route `chat` as batch',
          'lose account 3 acme,acme/contractors,acme/search: may no longer use model `gpt-5-mini` on route `chat` as batch',
        ],
      },
      {
        what: 'a rule for some',
        edits: [['access.yaml', /^ {2}- \{name: eu-only.*\n/m, '']],
        forth: [
          'gain account 1 acme/hr: may use model `gpt-5` on route `chat`',
          'gain account 1 acme/hr: may use model `gpt-5-mini` on route `chat`',
        ],
      },
      {
        what: 'what is blocked',
        edits: [['access.yaml', 'rules:', 'blocked: {accounts: [acme/search], credentials: [k7f3q2]}\nrules:']],
        forth: [
          'lose account 1 acme/search: may no longer use model `gpt-5` on route `chat`',
          'lose account 1 acme/search: may no longer use model `gpt-5-mini` on route `chat`',
          'lose account 1 acme/search: may no longer use route `models`',
          'lose bundle 1 : credential `k7f3q2` is blocked',
        ],
      },
      {
        what: 'prices up and costs down, a discount with them',
        edits: [
          ['plans.yaml', 'input: 1.25,', 'input: 1.5,'],
          ['plans.yaml', 'input: 1.00,', 'input: 0.90,'],
        ],
        forth: [
          'lose price list 1 standard: `gpt-5` input from 2026-01-01: 1.25 USD → 1.50 USD per 1M tokens',
          'lose price list 1 acme-2026: `gpt-5` input from 2026-01-01: 1.10 USD → 1.32 USD per 1M tokens',
          'change provider 1 openai: `gpt-5` input from 2026-01-01: 1.00 USD → 0.90 USD per 1M tokens',
        ],
      },
      {
        what: 'routes and models',
        edits: [
          ['traffic.yaml', 'lasts_max: 15m', 'lasts_max: 10m'],
          ['models.yaml', 'output_assumed: 2k', 'output_assumed: 3k'],
        ],
        forth: [
          'change route 1 chat: lastsMaxMs: 900000 → 600000',
          'change model 1 gpt-5-mini: output_assumed: 2000 → 3000',
        ],
      },
      {
        what: 'an account that stood undeclared',
        edits: [['accounts/acme.yaml', /$/, 'acme/ops: {owner: ops@acme.example}\n']],
        forth: ['gain account 1 acme/ops: is declared'],
      },
    ];
  for (const { what, edits, forth, back } of rows) {
    test(what, async (t) => {
      const [before, after] = [await sideOf(t), await sideOf(t, edits)];
      assert.deepEqual(diffPolicies({ before, after }, DIFF_PORTS).map(lineOf), forth);
      if (back !== undefined) {
        assert.deepEqual(diffPolicies({ before: after, after: before }, DIFF_PORTS).map(lineOf), back);
      }
    });
  }

  test('keys: new, revoked, ending earlier, gone', async (t) => {
    const withKey = async (text: string | undefined): Promise<Side> => {
      const files = text === undefined ? {} : { 'keys/a.yaml': text };
      const loaded = await loadBundle(await bundleWith(t, { base: 'example', files }));
      return { policy: policyOf(loaded), parts: loaded.parts! };
    };
    const none = await withKey(undefined);
    const key = await withKey(KEY);
    const revoked = await withKey(KEY.replace('expires: 2026-03-31', 'expires: 2026-03-01, revoked: true'));
    const lines = (before: Side, after: Side) => diffPolicies({ before, after }, DIFF_PORTS).map(lineOf);
    assert.deepEqual(lines(none, key), ['gain key 1 k7f3q2: of `acme/search` is new (class interactive)']);
    assert.deepEqual(lines(key, none), ['lose key 1 k7f3q2: of `acme/search` is gone']);
    assert.deepEqual(lines(key, revoked), [
      'lose key 1 k7f3q2: of `acme/search` is revoked',
      'lose key 1 k7f3q2: ends earlier: 2026-04-01 → 2026-03-02',
    ]);
    assert.deepEqual(lines(revoked, none), []);
  });

  test('ten thousand accounts of the same change are one line', async (t) => {
    const many = (cap: string) =>
      JSON.stringify(
        Object.fromEntries(
          Array.from({ length: 10_000 }, (_, i) => [
            `c${i}`,
            {
              plan: 'growth',
              owner: 'a@b.example',
              timezone: 'UTC',
              limits: [{ name: 'own', max: `${cap} USD per day` }],
            },
          ]),
        ),
      );
    const side = async (cap: string): Promise<Side> => {
      const loaded = await loadBundle(
        await bundleWith(t, { base: 'example', files: { 'accounts/many.json': many(cap) } }),
      );
      return { policy: policyOf(loaded), parts: loaded.parts! };
    };
    const [before, after] = [await side('10'), await side('12')];
    const startMs = performance.now();
    const changes = diffPolicies({ before, after }, DIFF_PORTS).map(lineOf);
    t.diagnostic(`compared in ${(performance.now() - startMs).toFixed(0)} ms`);
    assert.deepEqual(changes, [
      'gain account 10000 c0,c1,c10,c100,c1000: limit `own` raised: 10.00 USD per day → 12.00 USD per day',
    ]);
  });
});
