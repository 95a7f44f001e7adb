/**
 * Names of counters: `owner|limit|kind,unit,period,zone|partition|window start`. Parts are encoded so that different
 * parts never make one name, and so that the owner, and with it the customer, can be read back.
 */
import { createHash } from 'node:crypto';
import { UNITS, type Unit } from '../core/units.ts';
import type { BoundLimit, Partition } from '../policy/policy.ts';

/** Longer partitions (UTF-8) stand as a hash. */
const PARTITION_BYTES_MAX = 40;
/** 192 bits: names of different partitions never meet, in 32 characters. */
const HASH_BYTES = 24;

const UNSAFE = /[^A-Za-z0-9._/@:+=-]/g;

/** Unsafe UTF-16 units as `%` and four hex digits; `%`, `|`, `,`, `#` and `~` are unsafe. */
function encodePart(text: string): string {
  return text.replace(UNSAFE, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function decodePart(part: string): string {
  return part.replace(/%([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function encodePartition(partition: string): string {
  if (Buffer.byteLength(partition) <= PARTITION_BYTES_MAX) return encodePart(partition);
  const digest = createHash('sha256').update(partition, 'utf16le').digest();
  return `#${digest.subarray(0, HASH_BYTES).toString('base64url')}`;
}

/** What all counters of a bound limit begin with: everything up to the partition. The limit's value is not in it. */
export function counterPrefix({ limit, owner, zone, monthStarts }: BoundLimit): string {
  const { shape } = limit;
  let period = '';
  let calendar = '';
  if (shape.kind === 'bucket') period = String(shape.periodMs);
  if (shape.kind === 'window' && shape.period.kind === 'fixed') period = String(shape.period.ms);
  if (shape.kind === 'window' && shape.period.kind === 'calendar') {
    const { unit } = shape.period;
    period = (unit === 'month' || unit === 'year') && monthStarts !== 1 ? `${unit}@${monthStarts}` : unit;
    calendar = encodePart(zone);
  }
  return `${encodePart(owner)}|${encodePart(limit.name)}|${shape.kind},${limit.unit},${period},${calendar}|`;
}

/** A counter's whole name. `from` is the start of its window, epoch ms; undefined for the shapes without windows. */
export function counterName(prefix: string, key: { partition: string; from: number | undefined }): string {
  return `${prefix}${encodePartition(key.partition)}|${key.from ?? ''}`;
}

/** The account that owns a counter's limit. */
export function ownerOf(counter: string): string {
  return decodePart(counter.slice(0, counter.indexOf('|')));
}

/** The customer that a counter lies in: the first part of its owner. */
export function customerOf(counter: string): string {
  const owner = counter.slice(0, counter.indexOf('|'));
  const slash = owner.indexOf('/');
  return decodePart(slash === -1 ? owner : owner.slice(0, slash));
}

/** The unit that a counter counts; undefined: no name that `counterName` makes. */
export function unitOf(counter: string): Unit | undefined {
  const said = counter.split('|', 3)[2]?.split(',', 2)[1];
  return UNITS.find((unit) => unit === said);
}

/** Who and what a question is about, as far as partitions need it. */
export interface PartitionFacts {
  readonly customer: string;
  readonly account: string;
  readonly credential: string;
  readonly actor: string | undefined;
  readonly run: string | undefined;
  /** The candidate's. */
  readonly model: string | undefined;
}

/**
 * The partition of a limit for one candidate: '' where it has no `each`; undefined: the limit is not asked (no run, no
 * model). Where there is no actor the credential stands in, marked, so that no actor can take its name.
 */
export function partitionOf(each: Partition | undefined, facts: PartitionFacts): string | undefined {
  switch (each) {
    case undefined:
      return '';
    case 'actor':
      return facts.actor === undefined ? `credential:${facts.credential}` : `actor:${facts.actor}`;
    default:
      return facts[each];
  }
}
