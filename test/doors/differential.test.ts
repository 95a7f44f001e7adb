/**
 * H13 H14 H16 H20 H21 H22: whatever a dialect accepts, JSON.parse and Python's json accept too, and find the same model,
 * caps and stream; what they read differently is refused. DOORS_BODIES and DOORS_SEED: how many, and which.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type BodyFacts, isFault, type Target } from '../../src/dialects/dialect.ts';
import { dialect } from '../../src/dialects/dialects.ts';
import { Dice, fromEnv } from './dice.ts';
import { mutatedBody } from './mutations.ts';
import { type Picked, pickOf, startPython } from './python.ts';

const BODIES = fromEnv('DOORS_BODIES', 20_000);
const SEED = fromEnv('DOORS_SEED', 20_261_124);
const BATCH = 1000;

const PATHS = [
  'model',
  'stream',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'n',
  'best_of',
  'background',
  'stream_options.include_usage',
  'generationConfig.maxOutputTokens',
  'generationConfig.candidateCount',
  'inferenceConfig.maxTokens',
  'additionalModelRequestFields',
] as const;
type Path = (typeof PATHS)[number];
type Json = Readonly<Partial<Record<Path, unknown>>>;

interface Door {
  readonly name: string;
  /** What this API decides by. */
  readonly keys: readonly Path[];
  /** Of an API that names the model in the path: also whether it streams. */
  readonly target?: Target & { readonly stream?: boolean };
  /** The cap that a server would heed. */
  cap(json: Json): unknown;
}

const chatCap = (json: Json): unknown => {
  const caps = [json.max_tokens, json.max_completion_tokens].filter((cap) => typeof cap === 'number');
  return caps.length === 0 ? undefined : Math.max(...caps);
};
const CHAT_KEYS: readonly Path[] = [
  'model',
  'stream',
  'max_tokens',
  'max_completion_tokens',
  'n',
  'best_of',
  'stream_options.include_usage',
];
const DOORS: readonly Door[] = [
  { name: 'openai-chat', keys: CHAT_KEYS, cap: chatCap },
  { name: 'anthropic-messages', keys: ['model', 'stream', 'max_tokens'], cap: (json) => json.max_tokens },
  {
    name: 'openai-completions',
    keys: ['model', 'stream', 'max_tokens', 'n', 'best_of', 'stream_options.include_usage'],
    cap: (json) => (json.max_tokens === undefined ? 16 : (json.max_tokens ?? undefined)),
  },
  {
    name: 'openai-responses',
    keys: ['model', 'stream', 'max_output_tokens', 'background'],
    cap: (json) => json.max_output_tokens ?? undefined,
  },
  { name: 'openai-embeddings', keys: ['model'], cap: () => 0 },
  {
    name: 'azure-openai',
    keys: CHAT_KEYS,
    target: { model: 'm', path: '/openai/deployments/m/chat/completions', query: 'api-version=1' },
    cap: chatCap,
  },
  {
    name: 'gemini',
    keys: ['model', 'generationConfig.maxOutputTokens', 'generationConfig.candidateCount'],
    target: { model: 'm', path: '/v1beta/models/m:streamGenerateContent', query: 'alt=sse', stream: true },
    cap: (json) => json['generationConfig.maxOutputTokens'] ?? undefined,
  },
  {
    name: 'bedrock-converse',
    keys: ['model', 'inferenceConfig.maxTokens'],
    target: { model: 'm', path: '/model/m/converse', query: '', stream: false },
    cap: (json) =>
      json.additionalModelRequestFields == null ? (json['inferenceConfig.maxTokens'] ?? undefined) : undefined,
  },
];

/** What a server that reads `json` would do is what was decided on. */
function judge(door: Door, facts: BodyFacts, json: Json): void {
  const { target } = door;
  assert.equal(facts.model, target?.model ?? json.model);
  if (target !== undefined && json.model !== undefined) assert.equal(json.model, target.model);
  assert.equal(facts.stream, door.name === 'openai-embeddings' ? false : (target?.stream ?? json.stream === true));
  assert.equal(facts.outputCap, door.cap(json));
  if (door.name === 'openai-chat') {
    assert.equal(facts.choices, Math.max(Number(json.n ?? 1), Number(json.best_of ?? 1), 1));
    assert.equal(facts.reportsUsage || !facts.stream, json['stream_options.include_usage'] === true || !facts.stream);
  }
  if (door.name === 'gemini')
    assert.equal(facts.choices, Math.max(Number(json['generationConfig.candidateCount'] ?? 1), 1));
  if (door.name === 'openai-responses') assert.notEqual(json.background, true);
}

test('H13 H14 H16 H20 H21 H22: what a dialect accepts, JSON.parse and Python read alike', async (t) => {
  const reader = startPython(t, PATHS);
  const dice = new Dice(SEED);
  const counts = { accepted: 0, differ: 0 };
  for (let left = BODIES; left > 0; left -= BATCH) {
    const bodies = Array.from({ length: Math.min(left, BATCH) }, () => mutatedBody(dice));
    const pythons = await reader.pick(bodies);
    for (const [index, body] of bodies.entries()) {
      const json = pickOf(body, PATHS);
      const python = pythons[index]!;
      if (!isDeepStrictEqual(json, python)) counts.differ++;
      counts.accepted += readByAll(body, { json, python });
    }
  }
  t.diagnostic(
    `seed ${SEED}: ${BODIES} bodies, ${counts.accepted} accepted by a dialect, ${counts.differ} read differently by JSON.parse and Python`,
  );
  assert.ok(counts.accepted > BODIES / 10, `only ${counts.accepted} of ${BODIES} were accepted`);
  assert.ok(counts.differ > 0, 'no body that the two read differently');
});

/** How many dialects accept the body. */
function readByAll(body: Buffer, { json, python }: { readonly json: Picked; readonly python: Picked }): number {
  let accepted = 0;
  for (const door of DOORS) {
    const facts = dialect(door.name)!.read(body, door.target);
    if (isFault(facts)) continue;
    accepted++;
    const said = `${door.name} accepts ${JSON.stringify(body.toString('latin1'))}`;
    assert.ok(json !== null, `${said}, JSON.parse does not`);
    assert.ok(python !== null, `${said}, Python does not`);
    for (const key of door.keys) assert.deepEqual(python[key], json[key], `${said}, Python reads another \`${key}\``);
    try {
      judge(door, facts, json);
    } catch (error) {
      throw new Error(said, { cause: error });
    }
  }
  return accepted;
}
