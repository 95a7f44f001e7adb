/** envoy.data.accesslog.v3.HTTPAccessLogEntry: the parts that metering needs. */
import type { UsageFields } from '../../dialects/dialect.ts';
import { USAGE_NAMESPACE } from '../../dialects/usage-rules.ts';
import type { LogEntry } from '../../metering/entry.ts';
import { METADATA_KEY } from './metadata.ts';
import { nameTable } from './names.ts';
import type { Reader } from './reader.ts';
import { readStruct, type StructMap } from './struct.ts';

/** Where ext_authz keeps the dynamic metadata of our answer. A client cannot write there. */
const DECISION_NAMESPACE = 'envoy.filters.http.ext_authz';
const DECISION = 0;
const NAMESPACES = nameTable([DECISION_NAMESPACE, USAGE_NAMESPACE]);
const CONTENT_TYPE = nameTable(['content-type']);

/** AccessLogType, see protos/: DownstreamPeriodic and DownstreamEnd. Any other, `NotSet` included, is not billed. */
const KINDS: ReadonlyMap<number, LogEntry['kind']> = new Map([
  [5, 'periodic'],
  [6, 'end'],
]);

/** Nothing lasts longer, whatever a clock says. */
const DURATION_MAX_MS = 24 * 60 * 60 * 1000;

/** What was read so far; local to one decode. */
type Seen = { -readonly [Field in keyof LogEntry]: LogEntry[Field] };

const NO_USAGE: UsageFields = new Map();

/** Reads one entry. Throws `wire_invalid`. */
export function readEntry(reader: Reader): LogEntry {
  const seen: Seen = {
    kind: 'other',
    decision: undefined,
    requestId: undefined,
    usage: NO_USAGE,
    status: 0,
    details: '',
    attempts: 0,
    upstreamBytes: 0,
    firstByte: false,
    responseBytes: 0,
    responseContentType: undefined,
    durationMs: undefined,
  };
  while (reader.more()) {
    switch (reader.field()) {
      case 1:
        readCommon(reader, seen);
        break;
      case 3:
        readRequest(reader, seen);
        break;
      case 4:
        readResponse(reader, seen);
        break;
      default:
        reader.skip();
    }
  }
  return seen;
}

function readCommon(reader: Reader, seen: Seen): void {
  const outer = reader.open();
  while (reader.more()) {
    switch (reader.field()) {
      case 9:
        seen.firstByte = true;
        reader.skip();
        break;
      case 17:
        readMetadata(reader, seen);
        break;
      case 23:
        seen.durationMs = readDurationMs(reader);
        break;
      case 24:
        seen.attempts = reader.safe();
        break;
      case 31:
        seen.upstreamBytes = clamped(reader.uint64());
        break;
      case 33:
        seen.kind = KINDS.get(Number(reader.int64())) ?? 'other';
        break;
      default:
        reader.skip();
    }
  }
  reader.close(outer);
}

function readMetadata(reader: Reader, seen: Seen): void {
  const metadata = reader.open();
  while (reader.more()) {
    if (reader.field() === 1) readNamespace(reader, seen);
    else reader.skip();
  }
  reader.close(metadata);
}

/** One entry of the map from namespace to Struct; foreign ones are passed over. Encoders write the key first. */
function readNamespace(reader: Reader, seen: Seen): void {
  let namespace: number | undefined;
  const entry = reader.open();
  while (reader.more()) {
    const field = reader.field();
    if (field === 1) namespace = reader.oneOf(NAMESPACES)?.index;
    else if (field === 2 && namespace !== undefined) take(readStruct(reader), { namespace, seen });
    else reader.skip();
  }
  reader.close(entry);
}

function take(struct: StructMap, { namespace, seen }: { namespace: number; seen: Seen }): void {
  if (namespace === DECISION) {
    const ours = struct.get(METADATA_KEY);
    if (ours instanceof Map) seen.decision = stringsOf(ours);
    return;
  }
  const usage = new Map<string, string | number>();
  for (const [key, value] of struct) {
    if (typeof value === 'string' || typeof value === 'number') usage.set(key, value);
  }
  seen.usage = usage;
}

function stringsOf(struct: StructMap): ReadonlyMap<string, string> {
  const strings = new Map<string, string>();
  for (const [key, value] of struct) {
    if (typeof value === 'string') strings.set(key, value);
  }
  return strings;
}

function readRequest(reader: Reader, seen: Seen): void {
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() === 9) seen.requestId = reader.latin1();
    else reader.skip();
  }
  reader.close(outer);
}

function readResponse(reader: Reader, seen: Seen): void {
  const outer = reader.open();
  while (reader.more()) {
    switch (reader.field()) {
      case 1:
        seen.status = readUInt32Value(reader);
        break;
      case 3:
        seen.responseBytes = clamped(reader.uint64());
        break;
      case 4:
        seen.responseContentType = readContentType(reader) ?? seen.responseContentType;
        break;
      case 6:
        seen.details = reader.latin1();
        break;
      default:
        reader.skip();
    }
  }
  reader.close(outer);
}

function clamped(bytes: bigint): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Number(bytes));
}

/** google.protobuf.UInt32Value. */
function readUInt32Value(reader: Reader): number {
  let value = 0;
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() === 1) value = reader.safe();
    else reader.skip();
  }
  reader.close(outer);
  return value;
}

/** google.protobuf.Duration, `int64 seconds` 1 and `int32 nanos` 2, in whole ms towards zero, from 0 to 24 h. */
function readDurationMs(reader: Reader): number {
  let seconds = 0n;
  let nanos = 0n;
  const outer = reader.open();
  while (reader.more()) {
    const field = reader.field();
    if (field === 1) seconds = reader.int64();
    else if (field === 2) nanos = reader.int64();
    else reader.skip();
  }
  reader.close(outer);
  return Math.min(Math.max(0, Number(seconds * 1000n + nanos / 1_000_000n)), DURATION_MAX_MS);
}

/** An entry of the map of response headers; undefined: another header. */
function readContentType(reader: Reader): string | undefined {
  let ours = false;
  let value = '';
  const outer = reader.open();
  while (reader.more()) {
    const field = reader.field();
    if (field === 1) ours = reader.oneOf(CONTENT_TYPE) !== undefined;
    else if (field === 2 && ours) value = reader.latin1();
    else reader.skip();
  }
  reader.close(outer);
  return ours ? value : undefined;
}
