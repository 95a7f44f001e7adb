import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AccessQuestion, Policy } from '../../src/policy/policy.ts';
import { loadWith, policyOf } from './bundles.ts';

const MODELS = `
owner: platform@acme.example
providers: {openai: {dialects: [openai-chat]}}
models:
  large: {provider: openai, labels: {region: us, tier: top}, callers_say: [best, large-vision], output_max: 8k}
  small: {provider: openai, labels: {region: eu}, output_max: 8k}
  small-vision: {provider: openai, labels: {region: us}, output_max: 8k}
  tiny: {provider: openai, output_max: 8k}
`;

async function accessWith(t: TestContext, access: string): Promise<Policy> {
  const files = { 'access.yaml': `owner: s@acme.example\nenvironment: prod\n${access}`, 'models.yaml': MODELS };
  return policyOf(await loadWith(t, files));
}

type Asked = Partial<Omit<AccessQuestion, 'model'>>;

function judge(policy: Policy, asked: Asked): string {
  const model = asked.said === undefined ? undefined : policy.models.asked(asked.said);
  const question = {
    account: 'acme',
    credential: 'k',
    actor: undefined,
    route: 'chat',
    said: undefined,
    ...asked,
    model,
  };
  const answer = policy.access.judge(question);
  if (answer.outcome === 'blocked') return `blocked ${answer.what}`;
  if (answer.outcome === 'unlisted') return 'unlisted';
  const observed =
    answer.outcome === 'allowed' && answer.observed !== undefined ? ` observed ${answer.observed.rule}` : '';
  return `${answer.outcome} ${answer.rule}${observed}`;
}

test('deny rules match what was said and the canonical name, allow rules only the latter', async (t) => {
  const policy = await accessWith(
    t,
    `rules:
  - {name: no-vision, deny: {accounts: [acme/**], models: ["*-vision"]}}
  - {name: eu, deny: {accounts: [acme/hr], model_labels: {region: us}}}
  - {name: top-us, deny: {accounts: [acme/it], model_labels: {region: us, tier: top}}}
  - {name: best-us, deny: {accounts: [acme/ops], models: [best], model_labels: {region: us}}}
  - {name: best, allow: {accounts: [other], models: [best]}}
  - {name: some, allow: {accounts: [acme/**], routes: [chat], models: [large, "small*"]}}
  - {name: list, allow: {accounts: [acme/**], routes: [models]}}
`,
  );
  const rows: readonly [asked: Asked, expected: string][] = [
    [{ said: 'large' }, 'allowed some'],
    [{ said: 'best' }, 'allowed some'],
    [{ said: 'large-vision' }, 'denied no-vision'],
    [{ said: 'small-vision' }, 'denied no-vision'],
    [{ said: 'tiny' }, 'unlisted'],
    [{ account: 'acme/hr', said: 'large' }, 'denied eu'],
    [{ account: 'acme/hr', said: 'small' }, 'allowed some'],
    [{ account: 'acme/hr/x', said: 'large' }, 'allowed some'],
    [{ account: 'acme/it', said: 'large' }, 'denied top-us'],
    [{ account: 'acme/it', said: 'small' }, 'allowed some'],
    [{ account: 'acme/ops', said: 'best' }, 'denied best-us'],
    [{ account: 'acme/ops', said: 'large' }, 'allowed some'],
    [{ account: 'other', said: 'best' }, 'unlisted'],
    [{ route: 'models' }, 'allowed list'],
    [{ route: 'chat' }, 'unlisted'],
  ];
  for (const [index, [asked, expected]] of rows.entries()) assert.equal(judge(policy, asked), expected, `row ${index}`);
});

test('an allow rule that names a word of callers allows nothing and is told so', async (t) => {
  const files = {
    'access.yaml':
      'owner: s@acme.example\nenvironment: prod\nrules: [{name: best, allow: {accounts: ["**"], models: [best]}}]\n',
    'models.yaml': MODELS,
  };
  const { warnings } = await loadWith(t, files);
  assert.deepEqual(
    warnings.filter(({ file }) => file === 'access.yaml').map(({ rule, column }) => [rule, column]),
    [['name-elsewhere', 57]],
  );
});

test('a deny rule may name a word of callers', async (t) => {
  const files = {
    'access.yaml':
      'owner: s@acme.example\nenvironment: prod\nrules: [{name: best, deny: {accounts: ["**"], models: [best, bset]}}]\n',
    'models.yaml': MODELS,
  };
  const { warnings } = await loadWith(t, files);
  assert.deepEqual(
    warnings.filter(({ file }) => file === 'access.yaml').map(({ found, nearest }) => [found, nearest]),
    [['`bset`', 'best']],
  );
});

test('observe records what a deny would have done, off does nothing, wherever the rule stands', async (t) => {
  const policy = await accessWith(
    t,
    `rules:
  - {name: all, allow: {accounts: [acme/**]}}
  - {name: watched, deny: {accounts: [acme/a], models: [large]}, enforce: observe}
  - {name: also, deny: {accounts: [acme/a], models: [large]}, enforce: observe}
  - {name: dead, deny: {accounts: [acme/**]}, enforce: off}
  - {name: real, deny: {accounts: [acme/a], models: [small]}, reason: no}
`,
  );
  assert.equal(judge(policy, { account: 'acme/a', said: 'large' }), 'allowed all observed watched');
  assert.equal(judge(policy, { account: 'acme/a', said: 'small' }), 'denied real');
  assert.equal(judge(policy, { account: 'acme/b', said: 'large' }), 'allowed all');
});

test('blocked accounts, credentials, actors and models are out before any rule', async (t) => {
  const policy = await accessWith(
    t,
    `rules: [{name: all, allow: {accounts: ["**"]}}]
blocked: {accounts: [acme/bad/**], credentials: [kbad00], actors: [mallory@acme.example], models: ["*-vision", tiny]}
`,
  );
  const rows: readonly [asked: Asked, expected: string][] = [
    [{ said: 'large' }, 'allowed all'],
    [{ account: 'acme/bad' }, 'blocked account'],
    [{ account: 'acme/bad/x' }, 'blocked account'],
    [{ account: 'acme/badge' }, 'allowed all'],
    [{ credential: 'kbad00' }, 'blocked credential'],
    [{ actor: 'mallory@acme.example' }, 'blocked actor'],
    [{ said: 'tiny' }, 'blocked model'],
    [{ said: 'large-vision' }, 'blocked model'],
    [{ said: 'small-vision' }, 'blocked model'],
    [{ account: 'acme/bad', credential: 'kbad00', said: 'tiny' }, 'blocked account'],
  ];
  for (const [index, [asked, expected]] of rows.entries()) assert.equal(judge(policy, asked), expected, `row ${index}`);
});
