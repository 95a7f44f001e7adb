import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { anthropicMessages } from '../../src/dialects/anthropic-messages.ts';
import { azureOpenai } from '../../src/dialects/azure-openai.ts';
import { bedrockConverse } from '../../src/dialects/bedrock-converse.ts';
import { type BodyFacts, type Dialect, isFault, type Target } from '../../src/dialects/dialect.ts';
import { modelEdit, sortEdits } from '../../src/dialects/edits.ts';
import { gemini } from '../../src/dialects/gemini.ts';
import { openaiChat } from '../../src/dialects/openai-chat.ts';
import { openaiCompletions } from '../../src/dialects/openai-completions.ts';
import { openaiEmbeddings } from '../../src/dialects/openai-embeddings.ts';
import { openaiResponses } from '../../src/dialects/openai-responses.ts';
import { applyEdits } from '../support/apply-edits.ts';
import { bytes, CAREFUL_BODY } from './bodies.ts';

const SEEDS: readonly Buffer[] = [
  '{"model":"gpt-5","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hi"}]}',
  '{"stream_options":{"include_usage":false},"stream":true,"n":2,"model":"a/b","max_completion_tokens":7,"max_tokens":8}',
  '{"max_tokens":1024,"model":"claude-opus-5","stream":false,"tools":[{"name":"t"}],"system":"\\u00fc"}',
  '{"m\\u006fdel":"m\\u002d1","stream":null,"max_tokens":null,"best_of":3,"x":[1.5e-3,-0,true]}',
  '{"model":"m","max_tokens":10000000,"messages":[{"content":[{"source":{"type":"base64","data":"AA"}}]}]}',
  '{"model":"m","input":[{"role":"user","content":"hi"}],"stream":true,"max_output_tokens":9,"background":false}',
  '{"prompt":["a","b,c",[1,2]],"model":"m","n":2,"best_of":3,"max_tokens":5,"stream":true}',
  '{"input":[[1,2],[3]],"model":"m"}',
  '{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":9,"candidateCount":2},"model":"m"}',
  '{"messages":[{"content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":9}}',
  CAREFUL_BODY,
].map(bytes);

/** Pieces that matter to parsers, to be put anywhere. */
const PIECES: readonly Buffer[] = [
  '"model":"x",',
  ',"Model":"x"',
  '"stream":true,',
  ',"stream":false',
  '"max_tokens":5,',
  '"max_output_tokens":5,',
  '"background":true,',
  '"prompt":"x",',
  '"generationConfig":{"maxOutputTokens":5},',
  '"inferenceConfig":{"maxTokens":5},',
  '"\\u006d',
  '\\',
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  'null',
  'true',
  '1e400',
  '1.0',
  '-',
  ' ',
  '\n',
  '\u0000',
  '\u017f',
  '\u212a',
  '\ufeff',
  '🌍',
]
  .map(bytes)
  .concat([Buffer.from([0x80]), Buffer.from([0xed, 0xa0, 0x80])]);

interface Mutation {
  readonly at: number;
  readonly removed: number;
  readonly piece: number;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(1_000_000),
  removed: fc.oneof(fc.constant(0), fc.nat(3)),
  piece: fc.nat(PIECES.length),
});

function mutated(seed: Buffer, mutations: readonly Mutation[]): Buffer {
  let body = seed;
  for (const { at, removed, piece } of mutations) {
    const place = at % (body.length + 1);
    body = Buffer.concat([body.subarray(0, place), PIECES[piece] ?? bytes(''), body.subarray(place + removed)]);
  }
  return body;
}

interface Json {
  readonly model?: unknown;
  readonly stream?: unknown;
  readonly max_tokens?: unknown;
  readonly max_completion_tokens?: unknown;
  readonly n?: unknown;
  readonly best_of?: unknown;
  readonly stream_options?: object | null;
  readonly max_output_tokens?: unknown;
  readonly background?: unknown;
  readonly prompt?: unknown;
  readonly generationConfig?: { readonly maxOutputTokens?: unknown; readonly candidateCount?: unknown } | null;
  readonly inferenceConfig?: { readonly maxTokens?: unknown } | null;
  readonly additionalModelRequestFields?: unknown;
}

/** What the path says to the dialects that have the model there. */
const TARGETS: ReadonlyMap<Dialect, Target> = new Map([
  [azureOpenai, { model: 'm', path: '/openai/deployments/m/chat/completions', query: 'api-version=2024-10-21' }],
  [gemini, { model: 'm', path: '/v1beta/models/m:generateContent', query: '' }],
  [bedrockConverse, { model: 'm', path: '/model/m/converse', query: '' }],
]);

/** A member `stream` of the body says nothing to these. */
const STREAMS_BY_PATH: ReadonlySet<Dialect> = new Set([openaiEmbeddings, gemini, bedrockConverse]);

/** What each dialect may make of a body that any parser reads as `json`. */
const CHECKS: ReadonlyMap<Dialect, (facts: BodyFacts, json: Json) => void> = new Map([
  [
    openaiChat,
    (facts: BodyFacts, json: Json) => {
      assert.equal(facts.outputCap, capOf(json));
      assert.equal(facts.choices, choicesOf(json));
    },
  ],
  [anthropicMessages, (facts: BodyFacts, json: Json) => assert.equal(facts.outputCap, json.max_tokens)],
  [
    openaiCompletions,
    (facts: BodyFacts, json: Json) => {
      assert.equal(facts.outputCap, json.max_tokens === undefined ? 16 : (json.max_tokens ?? undefined));
      assert.equal(facts.choices, choicesOf(json) * promptsOf(json.prompt));
    },
  ],
  [
    openaiResponses,
    (facts: BodyFacts, json: Json) => {
      assert.equal(facts.outputCap, json.max_output_tokens ?? undefined);
      assert.notEqual(json.background, true);
    },
  ],
  [openaiEmbeddings, (facts: BodyFacts) => assert.equal(facts.outputCap, 0)],
  [
    azureOpenai,
    (facts: BodyFacts, json: Json) => {
      assert.equal(facts.outputCap, capOf(json));
      assert.equal(facts.choices, choicesOf(json));
    },
  ],
  [
    gemini,
    (facts: BodyFacts, json: Json) => {
      assert.equal(facts.outputCap, json.generationConfig?.maxOutputTokens ?? undefined);
      assert.equal(facts.choices, Math.max(Number(json.generationConfig?.candidateCount ?? 1), 1));
    },
  ],
  [
    bedrockConverse,
    (facts: BodyFacts, json: Json) => {
      const lifted = (json.additionalModelRequestFields ?? undefined) !== undefined;
      assert.equal(facts.outputCap, lifted ? undefined : (json.inferenceConfig?.maxTokens ?? undefined));
    },
  ],
]);

function choicesOf(json: Json): number {
  return Math.max(Number(json.n ?? 1), Number(json.best_of ?? 1), 1);
}

/** Texts and lists of a list; a list that begins with a number is one prompt of tokens, beside its texts and lists. */
function promptsOf(prompt: unknown): number {
  if (!Array.isArray(prompt)) return 1;
  const tokens = typeof prompt[0] === 'number' ? 1 : 0;
  return Math.max(1, tokens + prompt.filter((each) => typeof each === 'string' || Array.isArray(each)).length);
}

/** What any parser reads of a decision value. */
function capOf(json: Json): number | undefined {
  const caps = [json.max_tokens, json.max_completion_tokens].filter((cap) => typeof cap === 'number');
  return caps.length === 0 ? undefined : Math.max(...caps);
}

function checkFacts(dialect: Dialect, body: Buffer, facts: BodyFacts): void {
  const json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)) as Json;
  const target = TARGETS.get(dialect);
  assert.equal(facts.model, target === undefined ? json.model : target.model);
  if (target !== undefined) assert.ok(json.model === undefined || json.model === target.model);
  assert.equal(facts.stream, json.stream === true && !STREAMS_BY_PATH.has(dialect));
  CHECKS.get(dialect)?.(facts, json);
  const names = Object.keys(json).map((name) => name.toLowerCase());
  assert.equal(names.filter((name) => name === 'model').length, json.model === undefined ? 0 : 1);

  const edits = [
    ...(facts.modelSpan === undefined ? [] : [modelEdit(facts.modelSpan, 'decided')]),
    ...(facts.usageEdit === undefined ? [] : [facts.usageEdit]),
  ];
  const after = JSON.parse(applyEdits(body, sortEdits(edits)).toString('utf8')) as Json;
  const options =
    facts.usageEdit === undefined ? {} : { stream_options: { ...json.stream_options, include_usage: true } };
  assert.deepEqual(after, { ...json, ...(json.model === undefined ? {} : { model: 'decided' }), ...options });
}

describe('mutated bodies', () => {
  it('are refused, or read as every parser reads them', () => {
    let accepted = 0;
    const bodies = fc.tuple(fc.constantFrom(...SEEDS), fc.array(mutation, { minLength: 0, maxLength: 3 }));
    fc.assert(
      fc.property(bodies, fc.constantFrom(...CHECKS.keys()), ([seed, mutations], dialect) => {
        const body = mutated(seed, mutations);
        const facts = dialect.read(body, TARGETS.get(dialect));
        if (isFault(facts)) return;
        accepted++;
        checkFacts(dialect, body, facts);
      }),
      { seed: 7, numRuns: 30_000 },
    );
    assert.ok(accepted > 2_000, `only ${accepted} of 30000 were accepted`);
  });

  it('take linear time at worst; figures only', (t) => {
    const size = 4 << 20;
    const filled = (unit: string, head = '{"model":"m","x":[', tail = '1]}') =>
      bytes(head + unit.repeat(Math.floor((size - 40) / Buffer.byteLength(unit))) + tail);
    const worst: readonly (readonly [string, Buffer])[] = [
      ['numbers', filled('1,')],
      ['empty strings', filled('"",')],
      ['empty arrays', filled('[],')],
      ['escapes', filled('a\\n', '{"model":"m","x":"', '"}')],
      ['white space', filled(' \n')],
      ['keys that may fold', filled('"ſxxxxxxxxx":0,', '{"model":"m",', '"y":0}')],
      [
        'long escaped keys',
        bytes(`{"model":"m",${Array.from({ length: 9990 }, (_, i) => `"${'\\u00e4'.repeat(65)}${i}":1`).join()}}`),
      ],
    ];
    for (const [what, body] of worst) {
      openaiChat.read(body);
      const start = performance.now();
      openaiChat.read(body);
      t.diagnostic(`${what}: ${(performance.now() - start).toFixed(1)} ms for ${body.length} bytes`);
    }
    assert.equal(
      worst.every(([, body]) => body.length > size * 0.9),
      true,
    );
  });
});
