/** The values that every dialect reads alike: model, flag, count. Each is a value or a fault for the body's author. */
import type { BodyReader } from './body-reader.ts';
import { type BodyFacts, type BodyFault, isFault, type Target } from './dialect.ts';
import { SHOWN_BYTES, shown } from './faults.ts';
import type { KeyName } from './keys.ts';
import { ABSENT, ARRAY, FALSE, NULL, NUMBER, OBJECT, STRING, TRUE } from './scanner.ts';

/** Largest cap or count that is accepted (reference/faults-and-bad-input.md H21). */
export const COUNT_MAX = 10_000_000;

const MODEL = /^[A-Za-z0-9._:/@-]{1,128}$/;
/** The longest JSON that a name can have: each of its characters in an escape, and the quotes. */
const MODEL_JSON_BYTES_MAX = 128 * 6 + 2;
const DOT_SEGMENT = /(?:^|\/)\.\.?(?:\/|$)/;

/** Whether `text` may name a model: [A-Za-z0-9._:/@-]{1,128}, no `.` or `..` between slashes. */
export function isModelName(text: string): boolean {
  return MODEL.test(text) && !DOT_SEGMENT.test(text);
}

/** The facts that no dialect reads in a way of its own. */
export type CommonFacts = Pick<BodyFacts, 'model' | 'modelSpan' | 'stream' | 'caching' | 'inputTokens' | 'bodyBytes'>;

/** `target`: the model is the path's, and the body may only repeat it. */
export function readCommon(reader: BodyReader, body: Uint8Array, target?: Target): CommonFacts | BodyFault {
  const model = target === undefined ? readModel(reader) : readRepeated(reader, target.model);
  if (isFault(model)) return model;
  // Where these are heeded (gateways that speak the API, server-side fallbacks) another model answers than the one decided.
  const other = refuseMember(reader, 'models') ?? refuseMember(reader, 'fallbacks');
  if (other !== undefined) return other;
  const stream = readFlag(reader, 'stream');
  if (isFault(stream)) return stream;
  const offset = reader.start('model');
  return {
    model,
    modelSpan: reader.kind('model') === ABSENT ? undefined : { offset, length: reader.end('model') - offset },
    stream: stream === true,
    caching: reader.caching,
    inputTokens: reader.meter.tokens(),
    bodyBytes: body.length,
  };
}

/** The path's model, which the body does not name, or names alike. */
function readRepeated(reader: BodyReader, model: string): string | BodyFault {
  if (reader.kind('model') === ABSENT) return model;
  if (modelText(reader) === model) return model;
  const message = `expected \`model\` to be absent or ${shown(model)} as in the path, found ${found(reader, 'model')}`;
  return { reason: 'model_conflict', message };
}

/** The model as the caller wrote it, after unescaping. */
function readModel(reader: BodyReader): string | BodyFault {
  const expected = 'expected `model` to be a string of 1 to 128 characters of `A-Z a-z 0-9 . _ : / @ -`';
  const fault = (found: string): BodyFault => ({ reason: 'model_invalid', message: `${expected}, found ${found}` });
  if (reader.kind('model') === ABSENT) return fault('no `model`');
  const model = modelText(reader);
  if (model === undefined) return fault(found(reader, 'model'));
  return isModelName(model) ? model : fault(model === '' ? 'an empty string' : shown(model));
}

/** Undefined: no string, or one that is too long to be a name however it is written; such a one is not unescaped. */
function modelText(reader: BodyReader): string | undefined {
  const isShort = reader.end('model') - reader.start('model') <= MODEL_JSON_BYTES_MAX;
  return reader.kind('model') === STRING && isShort ? (JSON.parse(reader.json('model')) as string) : undefined;
}

/** `true` or `false`; absent and null are undefined, as providers read them. */
export function readFlag(reader: BodyReader, name: KeyName): boolean | undefined | BodyFault {
  switch (reader.kind(name)) {
    case TRUE:
      return true;
    case FALSE:
      return false;
    case ABSENT:
    case NULL:
      return undefined;
    default:
      return valueFault(reader, name, '`true` or `false`');
  }
}

/** An integer in plain digits, 0 to COUNT_MAX; absent and null are undefined. `1.0`, `1e3` and `-0` are faults. */
export function readCount(reader: BodyReader, name: KeyName): number | undefined | BodyFault {
  const kind = reader.kind(name);
  if (kind === ABSENT || kind === NULL) return undefined;
  const count = kind === NUMBER ? reader.digits(name) : undefined;
  if (count !== undefined && count <= COUNT_MAX) return count;
  return valueFault(reader, name, `an integer from 0 to ${COUNT_MAX}`);
}

/** A member that is an object, absent or null. */
export function objectFault(reader: BodyReader, name: KeyName): BodyFault | undefined {
  const kind = reader.kind(name);
  return kind === ABSENT || kind === NULL || kind === OBJECT ? undefined : valueFault(reader, name, 'an object');
}

/** A second spelling that the API's own parser takes for `name`: it would have to be read alike, so it is refused. */
export function spellingFault(reader: BodyReader, other: KeyName, name: KeyName): BodyFault | undefined {
  if (reader.kind(other) === ABSENT) return undefined;
  return { reason: 'body_value_invalid', message: `expected the spelling \`${name}\`, found \`${other}\`` };
}

/** A member that must not be there, because what it asks for is not what was decided. */
function refuseMember(reader: BodyReader, name: KeyName): BodyFault | undefined {
  const kind = reader.kind(name);
  if (kind === ABSENT || kind === NULL) return undefined;
  return {
    reason: 'body_value_invalid',
    message: `expected no \`${name}\`, which lets the provider answer with another model, found ${found(reader, name)}`,
  };
}

function valueFault(reader: BodyReader, name: KeyName, expected: string): BodyFault {
  return {
    reason: 'body_value_invalid',
    message: `expected \`${name}\` to be ${expected}, found ${found(reader, name)}`,
  };
}

function found(reader: BodyReader, name: KeyName): string {
  const kind = reader.kind(name);
  if (kind === OBJECT) return 'an object';
  if (kind === ARRAY) return 'an array';
  return shown(reader.json(name, SHOWN_BYTES));
}
