/** envoy.data.accesslog.v3.HTTPAccessLogEntry: the parts that metering needs. */
import type { UsageFields } from '../../dialects/dialect.ts';
import type { LogEntry } from '../../metering/entry.ts';
import { readDurationMs, readTimestampMs } from './log-time.ts';
import { METADATA_KEY } from './metadata.ts';
import { type NameTable, nameTable } from './names.ts';
import type { Reader } from './reader.ts';
import { readStruct, type StructMap } from './struct.ts';

/** Where ext_authz keeps the dynamic metadata of our answer. A client cannot write there. */
const DECISION_NAMESPACE = 'envoy.filters.http.ext_authz';
/** Where the response filters write what the provider reported. */
const USAGE_NAMESPACE = 'tollgate.usage';
const DECISION = 0;
const NAMESPACES = nameTable([DECISION_NAMESPACE, USAGE_NAMESPACE]);
const DECISION_HEADER = nameTable(['x-tollgate-decision']);
const CONTENT_TYPE = nameTable(['content-type']);

/** AccessLogType, see protos/. A type that is not named here, `NotSet` included, is not billed. */
const KINDS: ReadonlyMap<number, LogEntry['kind']> = new Map([
  [4, 'start'],
  [5, 'periodic'],
  [6, 'end'],
  [9, 'attempt'],
]);

/** What was read so far; mutable, local to one decode. */
interface Seen {
  kind: LogEntry['kind'];
  decision: ReadonlyMap<string, string> | undefined;
  usage: UsageFields;
  status: number;
  details: string;
  flaggedGone: boolean;
  attempts: number;
  upstreamBytes: number;
  firstByte: boolean;
  responseBytes: number;
  responseContentType: string | undefined;
  decisionHeader: string | undefined;
  startMs: number;
  durationMs: number | undefined;
}

const NO_USAGE: UsageFields = new Map();

/** Reads one entry; times are clamped to what can be true at `nowMs`. Throws `wire_invalid`. */
export function readEntry(reader: Reader, nowMs: number): LogEntry {
  const seen: Seen = {
    kind: 'other',
    decision: undefined,
    usage: NO_USAGE,
    status: 0,
    details: '',
    flaggedGone: false,
    attempts: 0,
    upstreamBytes: 0,
    firstByte: false,
    responseBytes: 0,
    responseContentType: undefined,
    decisionHeader: undefined,
    startMs: nowMs,
    durationMs: undefined,
  };
  while (reader.more()) {
    switch (reader.field()) {
      case 1:
        readCommon(reader, { seen, nowMs });
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
  return entryOf(seen);
}

function entryOf(seen: Seen): LogEntry {
  return {
    kind: seen.kind,
    decision: seen.decision ?? decisionOfAttempt(seen),
    usage: seen.usage,
    status: seen.status,
    details: seen.details,
    clientGone: seen.flaggedGone || seen.details.startsWith('downstream_remote_disconnect'),
    attempts: seen.attempts,
    upstreamBytes: seen.upstreamBytes,
    firstByte: seen.firstByte,
    responseBytes: seen.responseBytes,
    responseContentType: seen.responseContentType,
    startMs: seen.startMs,
    durationMs: seen.durationMs,
  };
}

/**
 * Entries of attempts carry no dynamic metadata. Their request is the one that went upstream, in which our answer overwrote
 * the header; of any other entry the header is not believed, for there it may be the client's.
 */
function decisionOfAttempt({ kind, decisionHeader }: Seen): ReadonlyMap<string, string> | undefined {
  if (kind !== 'attempt' || decisionHeader === undefined) return undefined;
  return new Map([['decision_id', decisionHeader]]);
}

function readCommon(reader: Reader, { seen, nowMs }: { seen: Seen; nowMs: number }): void {
  const outer = reader.open();
  while (reader.more()) {
    switch (reader.field()) {
      case 5:
        seen.startMs = readTimestampMs(reader, nowMs);
        break;
      case 9:
        seen.firstByte = true;
        reader.skip();
        break;
      case 16:
        readFlags(reader, seen);
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

/** ResponseFlags: downstream_connection_termination, downstream_remote_reset. */
function readFlags(reader: Reader, seen: Seen): void {
  const outer = reader.open();
  while (reader.more()) {
    const field = reader.field();
    if (field === 15 || field === 28) seen.flaggedGone = reader.bool() || seen.flaggedGone;
    else reader.skip();
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
    if (reader.field() === 13) seen.decisionHeader = readMapped(reader, DECISION_HEADER) ?? seen.decisionHeader;
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
        seen.responseContentType = readMapped(reader, CONTENT_TYPE) ?? seen.responseContentType;
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

/** Value of a map entry whose key is in `names`, as latin-1; undefined: another key. */
function readMapped(reader: Reader, names: NameTable): string | undefined {
  let ours = false;
  let value = '';
  const outer = reader.open();
  while (reader.more()) {
    const field = reader.field();
    if (field === 1) ours = reader.oneOf(names) !== undefined;
    else if (field === 2 && ours) value = reader.latin1();
    else reader.skip();
  }
  reader.close(outer);
  return ours ? value : undefined;
}
