/**
 * A hold as the struct of strings that travels through Envoy's dynamic metadata and comes back in the access-log entry: the
 * copy that a settlement falls back on where the hold was lost (docs/money.md).
 */
import { parseDecisionId } from '../core/ids.ts';
import { UNITS } from '../core/units.ts';
import type { HeldSpend, Hold } from './hold.ts';
import { heldSpendOf, type SpendTuple, spendTuple } from './row.ts';

/** Every field, in the order they are written. All are always present; what does not apply is an empty text. */
export const FIELD_NAMES = [
  'decision_id',
  'outcome',
  'reason',
  'account',
  'credential',
  'actor',
  'kind',
  'proof',
  'confidence',
  'class',
  'run',
  'route',
  'dialect',
  'requested_model',
  'model',
  'downgraded_by',
  'stream',
  'plan',
  'tags',
  'policy_version',
  'price_version',
  'price_list',
  'provider',
  'bill_estimated',
  'decided_at_ms',
  'expires_at_ms',
  'spends',
  'spends_omitted',
  'estimate',
  'mode',
] as const;
export type FieldName = (typeof FIELD_NAMES)[number];

/** Most bytes of the struct: names and values in UTF-8, and what protobuf puts around each. */
export const FIELDS_BYTES_MAX = 4096;

/** Map entry, name and value: three tags and up to two bytes of length each, and the Value's own. */
const FIELD_BYTES = 12;
const NAMES_BYTES = FIELD_NAMES.reduce((sum, name) => sum + name.length + FIELD_BYTES, 0);

/**
 * Writes a hold as fields. Where they would exceed 4 KiB, `spends` is empty and `spends_omitted` is `true`; where that is
 * not enough, `tags` is empty too (the hold row has both). Classes are joined by commas, `spends` is a JSON array of
 * `[counter, limit, kind, unit, reserved, on_expiry, n, p, end]` (null: it has none), `estimate` one of
 * `[input tokens, output tokens, charge, cost, output max]`.
 */
export function holdToFields(hold: Hold): [FieldName, string][] {
  const spends = JSON.stringify(hold.spends.map(spendTuple));
  const fields = fieldsOf(hold, { spends, omitted: 'false', tags: tagsText(hold.tags) });
  if (fits(fields)) return fields;
  const without = fieldsOf(hold, { spends: '', omitted: 'true', tags: tagsText(hold.tags) });
  return fits(without) ? without : fieldsOf(hold, { spends: '', omitted: 'true', tags: '' });
}

function fieldsOf(
  hold: Hold,
  { spends, omitted, tags }: { spends: string; omitted: 'true' | 'false'; tags: string },
): [FieldName, string][] {
  const e = hold.estimate;
  return [
    ['decision_id', hold.decisionId],
    ['outcome', 'allow'],
    ['reason', ''],
    ['account', hold.account],
    ['credential', hold.credential],
    ['actor', hold.actor ?? ''],
    ['kind', hold.kind],
    ['proof', hold.proof],
    ['confidence', hold.confidence],
    ['class', hold.classes.join(',')],
    ['run', hold.run ?? ''],
    ['route', hold.route],
    ['dialect', hold.dialect ?? ''],
    ['requested_model', hold.requestedModel ?? ''],
    ['model', hold.model ?? ''],
    ['downgraded_by', hold.downgradedBy ?? ''],
    ['stream', hold.stream ? 'true' : 'false'],
    ['plan', hold.plan ?? ''],
    ['tags', tags],
    ['policy_version', hold.policyVersion],
    ['price_version', hold.priceVersion],
    ['price_list', hold.priceList ?? ''],
    ['provider', hold.provider ?? ''],
    ['bill_estimated', hold.billEstimated ? 'true' : 'false'],
    ['decided_at_ms', String(hold.decidedAtMs)],
    ['expires_at_ms', String(hold.expiresAtMs)],
    ['spends', spends],
    ['spends_omitted', omitted],
    ['estimate', `[${e.inputTokens},${e.outputTokens},${e.charge},${e.cost},${e.outputMax}]`],
    ['mode', hold.mode],
  ];
}

function tagsText(tags: Hold['tags']): string {
  for (const _ in tags) return JSON.stringify(tags);
  return '';
}

/** No character takes more than three bytes per UTF-16 unit; only where that bound is not enough are bytes counted. */
function fits(fields: readonly (readonly [string, string])[]): boolean {
  let chars = 0;
  for (const field of fields) chars += field[1].length;
  if (chars * 3 + NAMES_BYTES <= FIELDS_BYTES_MAX) return true;
  if (chars + NAMES_BYTES > FIELDS_BYTES_MAX) return false;
  let bytes = NAMES_BYTES;
  for (const field of fields) bytes += Buffer.byteLength(field[1]);
  return bytes <= FIELDS_BYTES_MAX;
}

/**
 * Reads what `holdToFields` wrote. Undefined for anything else: a missing field, an outcome other than `allow`, an id that is
 * not ours in form or was not minted when it says it was decided, a number, word or list that does not read exactly. Never throws. What does not travel is empty: `trace`
 * and `observed`; so are `spends` if they were omitted.
 */
export function holdFromFields(fields: ReadonlyMap<string, string>): Hold | undefined {
  const get = (name: FieldName): string => fields.get(name) ?? '';
  const some = (name: FieldName): string | undefined => get(name) || undefined;
  if (FIELD_NAMES.some((name) => typeof fields.get(name) !== 'string')) return undefined;
  const account = get('account');
  const confidence = one(get('confidence'), ['exact', 'low']);
  const mode = one(get('mode'), ['normal', 'degraded', 'stale', 'closed']);
  const stream = flag(get('stream'));
  const billEstimated = flag(get('bill_estimated'));
  const omitted = flag(get('spends_omitted'));
  const decidedAtMs = whole(get('decided_at_ms'));
  const expiresAtMs = whole(get('expires_at_ms'));
  const estimate = estimateOf(get('estimate'));
  const spends = omitted ? [] : spendsOf(get('spends'));
  const tags = tagsOf(get('tags'));
  if (get('outcome') !== 'allow' || get('reason') !== '' || (omitted && get('spends') !== '')) return undefined;
  if (account === '' || get('credential') === '' || get('class') === '' || get('route') === '') return undefined;
  if (confidence === undefined || mode === undefined || stream === undefined || billEstimated === undefined) {
    return undefined;
  }
  if (decidedAtMs === undefined || expiresAtMs === undefined || estimate === undefined) return undefined;
  // The book takes its time from these: a decision of another year would be billed there, and make counters look dead.
  if (parseDecisionId(get('decision_id'))?.mintedAtMs !== decidedAtMs || expiresAtMs < decidedAtMs) return undefined;
  if (spends === undefined || tags === undefined || omitted === undefined) return undefined;
  return {
    decisionId: get('decision_id'),
    decidedAtMs,
    account,
    customer: account.split('/', 1)[0]!,
    credential: get('credential'),
    actor: some('actor'),
    kind: get('kind'),
    proof: get('proof'),
    confidence,
    classes: get('class').split(','),
    run: some('run'),
    route: get('route'),
    dialect: some('dialect'),
    requestedModel: some('requested_model'),
    stream,
    plan: some('plan'),
    tags,
    policyVersion: get('policy_version'),
    priceVersion: get('price_version'),
    mode,
    trace: [],
    observed: [],
    expiresAtMs,
    model: some('model'),
    downgradedBy: some('downgraded_by'),
    provider: some('provider'),
    priceList: some('price_list'),
    billEstimated,
    estimate,
    spends,
  };
}

function one<T extends string>(text: string, words: readonly T[]): T | undefined {
  return words.find((word) => word === text);
}

function flag(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

function whole(text: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parsed(text: string): unknown {
  // Our own texts are bounded by the struct; a longer one is not ours, and is not worth its parsing.
  if (text.length > FIELDS_BYTES_MAX) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function estimateOf(text: string): Hold['estimate'] | undefined {
  const list = parsed(text);
  if (!Array.isArray(list) || list.length !== 5 || !list.every(isCount)) return undefined;
  const [inputTokens, outputTokens, charge, cost, outputMax] = list as [number, number, number, number, number];
  return { inputTokens, outputTokens, charge, cost, outputMax };
}

function tagsOf(text: string): Hold['tags'] | undefined {
  if (text === '') return {};
  const tags = parsed(text);
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) return undefined;
  const entries = Object.entries(tags);
  if (entries.some(([, value]) => typeof value !== 'string')) return undefined;
  return Object.fromEntries(entries) as Record<string, string>;
}

function spendsOf(text: string): readonly HeldSpend[] | undefined {
  const list = parsed(text);
  if (!Array.isArray(list)) return undefined;
  const spends = list.map(spendOf);
  return spends.includes(undefined) ? undefined : (spends as HeldSpend[]);
}

const KINDS: readonly unknown[] = ['bucket', 'window', 'total', 'slots'] satisfies HeldSpend['kind'][];

function spendOf(tuple: unknown): HeldSpend | undefined {
  if (!Array.isArray(tuple) || tuple.length !== 9) return undefined;
  const [counter, limit, kind, unit, reserved, onExpiry, n, p, end] = tuple as unknown[];
  if (typeof counter !== 'string' || counter === '' || typeof limit !== 'string' || limit === '') return undefined;
  if (!KINDS.includes(kind) || !(UNITS as readonly unknown[]).includes(unit) || !isCount(reserved)) return undefined;
  if (onExpiry !== 'keep' && onExpiry !== 'release') return undefined;
  if ([n, p, end].some((value) => value !== null && !isCount(value))) return undefined;
  return heldSpendOf(tuple as SpendTuple);
}
