/** One record of the audit as it is kept: bounded text, chained by hashes. Pure. */
import { createHash } from 'node:crypto';
import type { AuditEvent, AuditValue } from '../core/audit.ts';

/** UTF-8 bytes of a record's text. */
export const RECORD_BYTES_MAX = 16 * 1024;
/** UTF-16 units of single texts. `who` and `object` come from our own closed forms, and are short. */
const WHO_CHARS_MAX = 256;
const OBJECT_CHARS_MAX = 512;
const WHY_CHARS_MAX = 1024;
/** Of the record, each of `before` and `after`, in bytes: both and all else fit. */
const VALUE_BYTES_MAX = 4 * 1024;

/** What the first record follows. */
export const CHAIN_START = '0'.repeat(64);

export interface AuditRecord extends AuditEvent {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly atMs: number;
  /** Of this record; the next one's is made of it. */
  readonly hash: string;
}

/** A record as JSON shows it, by command and admin port alike. */
export function shownRecord({ seq, atMs, policyVersion, ...rest }: AuditRecord): object {
  return { seq, at: new Date(atMs).toISOString(), ...rest, policy_version: policyVersion };
}

/** The text that is kept of an event, at most 16 KiB; a value that is too long stands as `{cut: its bytes}`. */
export function recordText(event: AuditEvent): string {
  const { who, role, verb, object, before, after, outcome, why, policyVersion } = event;
  return JSON.stringify({
    who: who.slice(0, WHO_CHARS_MAX),
    role,
    verb,
    object: object.slice(0, OBJECT_CHARS_MAX),
    ...(before === undefined ? {} : { before: bounded(before) }),
    ...(after === undefined ? {} : { after: bounded(after) }),
    outcome,
    ...(why === undefined ? {} : { why: why.slice(0, WHY_CHARS_MAX) }),
    ...(policyVersion === undefined ? {} : { policyVersion }),
  });
}

/** The event that a kept text says; undefined: it is none that we wrote. */
export function eventOf(text: string): AuditEvent | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const { who, role, verb, object, outcome, why = '', policyVersion = '' } = found as Record<string, unknown>;
  const isEvent = [who, role, verb, object, outcome, why, policyVersion].every((each) => typeof each === 'string');
  return isEvent ? (found as AuditEvent) : undefined;
}

function bounded(value: AuditValue): AuditValue {
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes <= VALUE_BYTES_MAX ? value : { cut: bytes };
}

/** What a record is hashed with, so that none can be changed, taken out or moved and all that follow still fit. */
export interface ChainLink {
  readonly previous: string;
  readonly seq: number;
  readonly atMs: number;
  readonly text: string;
}

/** SHA-256 in hex over the hash before, place, time and text. */
export function chainHash({ previous, seq, atMs, text }: ChainLink): string {
  return createHash('sha256').update(`${previous}\n${seq}\n${atMs}\n`).update(text).digest('hex');
}
