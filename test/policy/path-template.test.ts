import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fitsPath, mayShare, modelInPath, pathOf, templateOf } from '../../src/policy/path-template.ts';
import { loadWith, policyOf } from './bundles.ts';

const GEMINI = '/v1beta/models/{model}:generateContent';
const BEDROCK = '/model/{model}/converse';
const AZURE = '/openai/deployments/{model}/chat/completions';

const PATHS: readonly (readonly [n: number, template: string, path: string, model: string | undefined])[] = [
  [1, AZURE, '/openai/deployments/gpt-5/chat/completions', 'gpt-5'],
  [2, AZURE, '/openai/deployments//chat/completions', undefined],
  [3, AZURE, '/openai/deployments/a/b/chat/completions', undefined],
  [4, AZURE, '/openai/deployments/a%2fb/chat/completions', undefined],
  [5, AZURE, '/openai/deployments/a%2Fb/chat/completions', undefined],
  [6, AZURE, '/openai/deployments/gpt-5/chat/completions/', undefined],
  [7, AZURE, '/openai/deployments/gpt-5/chat', undefined],
  [8, AZURE, '/openai/deployments/chat/completions', undefined],
  [9, AZURE, '/openai/deployments/{model}/chat/completions', undefined],
  [10, AZURE, '/openai/deployments/./chat/completions', undefined],
  [11, AZURE, '/openai/deployments/../chat/completions', undefined],
  [12, AZURE, '/openai/deployments/%2e%2e/chat/completions', undefined],
  [13, AZURE, '/openai/deployments/gpt%205/chat/completions', undefined],
  [14, AZURE, '/openai/deployments/gpt-5;v=1/chat/completions', undefined],
  [15, AZURE, '/OpenAI/deployments/gpt-5/chat/completions', undefined],
  [16, AZURE, `/openai/deployments/${'m'.repeat(128)}/chat/completions`, 'm'.repeat(128)],
  [17, AZURE, `/openai/deployments/${'m'.repeat(129)}/chat/completions`, undefined],
  [18, AZURE, `/openai/deployments/${'%3A'.repeat(129)}/chat/completions`, undefined],
  [19, GEMINI, '/v1beta/models/gemini-3-pro:generateContent', 'gemini-3-pro'],
  [20, GEMINI, '/v1beta/models/:generateContent', undefined],
  [21, GEMINI, '/v1beta/models/m:streamGenerateContent', undefined],
  [22, GEMINI, '/v1beta/models/m%3AgenerateContent', undefined],
  // What the path names is looked up as a whole: no such model is known.
  [23, GEMINI, '/v1beta/models/m:countTokens:generateContent', 'm:countTokens'],
  [24, BEDROCK, '/model/anthropic.claude-v1:0/converse', 'anthropic.claude-v1:0'],
  [25, BEDROCK, '/model/anthropic.claude-v1%3A0/converse', 'anthropic.claude-v1:0'],
  [26, BEDROCK, '/model/anthropic.claude-v1%3a0/converse', 'anthropic.claude-v1:0'],
  [27, BEDROCK, '/model/m%253A0/converse', undefined],
  [28, BEDROCK, '/model/arn%3Aaws%3Abedrock%3Aus%3A1%3Ainference-profile%2Fm/converse', undefined],
];

describe('the model of a path', () => {
  for (const [n, template, path, model] of PATHS) {
    test(`path ${n}: ${path.slice(0, 60)}`, () => assert.equal(modelInPath(templateOf(template)!, path), model));
  }

  test('every model that fits is read back from the path that names it', () => {
    const template = fc.constantFrom(GEMINI, BEDROCK, AZURE, '/{model}');
    const model = fc.stringMatching(/^[A-Za-z0-9._:@-]{1,128}$/).filter(fitsPath);
    fc.assert(
      fc.property(template, model, (path, name) => {
        const of = templateOf(path)!;
        assert.equal(modelInPath(of, pathOf(of, name)), name);
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  test('a model that does not fit is never put into a path', () => {
    for (const model of ['a/b', '', '..', 'a b', 'a?b', 'a%2Fb', 'm'.repeat(129)]) {
      assert.equal(fitsPath(model), false);
      assert.throws(() => pathOf(templateOf(AZURE)!, model), TypeError);
    }
  });
});

describe('the sample Envoy', () => {
  const sample = readFileSync(new URL('../../envoy/envoy.yaml', import.meta.url), 'utf8');
  const regexes = [...sample.matchAll(/safe_regex: \{ regex: "([^"]+)" \}/g)].map(
    ([, regex]) => new RegExp(`^(?:${regex})$`),
  );
  const PATHS_OF = [
    GEMINI,
    '/v1beta/models/{model}:streamGenerateContent',
    '/v1beta/models/{model}:countTokens',
    BEDROCK,
    '/model/{model}/converse-stream',
    AZURE,
  ];

  test('takes every path that a template takes: none is ours that it would not have routed', () => {
    assert.equal(regexes.length, 3);
    const piece = fc.constantFrom(
      'a',
      'Z',
      '0',
      '.',
      '..',
      '_',
      ':',
      '@',
      '-',
      '%3A',
      '%3a',
      '%2F',
      '%41',
      '/',
      ';',
      '{',
      ':verb',
      '\u00e4',
    );
    const segment = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
    let taken = 0;
    fc.assert(
      fc.property(fc.constantFrom(...PATHS_OF), segment, (template, text) => {
        const path = template.replace('{model}', () => text);
        if (modelInPath(templateOf(template)!, path) === undefined) return;
        taken++;
        assert.ok(
          regexes.some((regex) => regex.test(path)),
          path,
        );
      }),
      { seed: 4, numRuns: 5000 },
    );
    assert.ok(taken > 500, `${taken}`);
  });
});

describe('two templates of one method', () => {
  const ROWS: readonly (readonly [n: number, a: string, b: string, shared: boolean])[] = [
    [1, GEMINI, '/v1beta/models/{model}:streamGenerateContent', false],
    [2, '/model/{model}/converse', '/model/{model}/converse-stream', false],
    [3, '/a/{model}', '/a/x/{model}', false],
    [4, '/a/{model}', '/b/{model}', false],
    [5, '/a/{model}', '/a/{model}:verb', true],
    [6, '/a/{model}/b', '/a/{model}/b', true],
    // `/a/x/b/c` is of both.
    [7, '/a/{model}/b/c', '/a/x/{model}/c', true],
  ];
  for (const [n, a, b, shared] of ROWS) {
    test(`row ${n}: ${a} and ${b}`, () => {
      assert.equal(mayShare(templateOf(a)!, templateOf(b)!), shared);
      assert.equal(mayShare(templateOf(b)!, templateOf(a)!), shared);
    });
  }
});

const traffic = (...routes: string[]): Record<string, string> => ({
  'traffic.yaml': `owner: platform@acme.example\nroutes:\n  chat: {dialect: openai-chat, match: {method: POST, path: /v1/chat/completions}}\n  models: {metered: false, match: {method: GET, path: /v1/models}}\n${routes.map((route) => `  ${route}\n`).join('')}`,
});
const route = (name: string, dialect: string, path: string, more = ''): string =>
  `${name}: {dialect: ${dialect}${more}, match: {method: POST, path: "${path}"}}`;

describe('routes with a model in the path', () => {
  const BAD: readonly (readonly [n: number, routes: readonly string[], text: RegExp])[] = [
    [
      1,
      [route('r', 'azure-openai', '/openai/deployments/gpt-5/chat/completions')],
      /has the model in the path: expected/,
    ],
    [2, [route('r', 'azure-openai', '/x/{model}/embeddings')], /ends in `\{model\}\/chat\/completions`/],
    [3, [route('r', 'gemini', '/v1beta/models/{model}:countTokens')], /`\{model\}:generateContent` or `/],
    [4, [route('r', 'openai-chat', '/x/{model}/chat')], /has the model in the body/],
    [5, [route('r', 'bedrock-converse', '/a/{model}/{model}/converse')], /with one `\{model\}` as a segment/],
    [6, [route('r', 'bedrock-converse', '/a/x{model}/converse')], /with one `\{model\}` as a segment/],
    [7, [route('r', 'bedrock-converse', '/a/{model}x/converse')], /with one `\{model\}` as a segment/],
    [8, [route('r', 'bedrock-converse', '/a/{name}/converse')], /with one `\{model\}` as a segment/],
    [
      9,
      [route('r', 'bedrock-converse', '/a/{model}/converse'), route('s', 'bedrock-converse', '/a/{model}/converse')],
      /route `r` already matches/,
    ],
    [
      10,
      [route('r', 'bedrock-converse', '/a/{model}/converse'), route('s', 'openai-chat', '/a/m/converse')],
      /route `r` already matches/,
    ],
    [
      11,
      [route('s', 'openai-chat', '/a/m/converse'), route('r', 'bedrock-converse', '/a/{model}/converse')],
      /route `s` already matches/,
    ],
  ];
  for (const [n, routes, text] of BAD) {
    test(`bad ${n}`, async (t) => {
      const { problems } = await loadWith(t, traffic(...routes));
      assert.match(problems.map((each) => `${each.text ?? ''} ${JSON.stringify(each)}`).join('\n'), text);
    });
  }

  test('a model whose name does not fit into a path is refused where the provider has such an API', async (t) => {
    const { problems } = await loadWith(t, {
      'models.yaml':
        'owner: platform@acme.example\nproviders: {openai: {dialects: [openai-chat, gemini]}}\nmodels: {large: {provider: openai, output_max: 1k}, small: {provider: openai, output_max: 1k}, tiny: {provider: openai, output_max: 1k}, a/b: {provider: openai, output_max: 1k}}\n',
    });
    assert.match(JSON.stringify(problems), /a name without `\/`, as dialect `gemini`/);
  });

  test('are found by method and path, and by no other', async (t) => {
    const policy = policyOf(
      await loadWith(
        t,
        traffic(
          route('call', 'gemini', GEMINI),
          route('stream', 'gemini', '/v1beta/models/{model}:streamGenerateContent'),
          route('count', 'gemini', '/v1beta/models/{model}:countTokens', ', metered: false'),
          'model: {metered: false, match: {method: GET, path: "/v1beta/models/{model}"}}',
        ),
      ),
    );
    assert.equal(policy.route('POST', '/v1beta/models/m:generateContent')?.name, 'call');
    assert.equal(policy.route('POST', '/v1beta/models/m:streamGenerateContent')?.name, 'stream');
    assert.equal(policy.route('POST', '/v1beta/models/m:countTokens')?.name, 'count');
    assert.equal(policy.route('GET', '/v1beta/models/m')?.name, 'model');
    for (const [method, path] of [
      ['GET', '/v1beta/models/m/generateContent'],
      ['POST', '/v1beta/models/m:embedContent'],
      ['POST', '/v1beta/models/m'],
      ['PUT', '/v1beta/models/m:generateContent'],
      ['POST', GEMINI],
    ] as const) {
      assert.equal(policy.route(method, path), undefined, path);
    }
  });
});
