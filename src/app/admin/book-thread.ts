/** The thread that reads ledger and audit for the admin port: a long search holds up no decision, and ends with its thread. */
import { workerData } from 'node:worker_threads';
import type { AuditPageQuery, DecisionsQuery } from '../../admin/ports.ts';
import { TollgateError } from '../../core/errors.ts';
import { explanationOf } from '../../decision/explanation.ts';
import { openAuditReader } from '../../ledger/audit-book.ts';
import { shownRecord } from '../../ledger/audit-record.ts';
import { answerAtDesk } from '../../ledger/desk.ts';
import { type LedgerReader, openLedgerReader } from '../../ledger/reader.ts';

export interface BookThreadData {
  readonly ledger: string;
  readonly audit: string;
}

export type BookQuestion =
  | { readonly what: 'decision'; readonly id: string }
  | { readonly what: 'decisions'; readonly query: DecisionsQuery }
  | { readonly what: 'audit'; readonly query: AuditPageQuery };

const files = workerData as BookThreadData;
let ledger: LedgerReader | undefined;

/** JSON of an answer, a line; money, which is BigInt, as text. */
function text(value: unknown): string {
  return `${JSON.stringify(value, (_key, each) => (typeof each === 'bigint' ? each.toString() : each))}\n`;
}

function decision(id: string): string | undefined {
  ledger ??= openLedgerReader(files.ledger);
  const reader = ledger;
  const booked = reader.decision(id);
  return booked && text(explanationOf(booked, (version) => reader.prices(version)));
}

function decisions({ account, sinceMs, limit, after }: DecisionsQuery): string {
  ledger ??= openLedgerReader(files.ledger);
  const found = ledger.decisions({ account, sinceMs, limit: limit + 1, after: placeOf(after) });
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  const next = found.length > limit && last !== undefined ? `${last.decidedAtMs}.${last.decisionId}` : undefined;
  const shown = entries.map(({ decisionId: id, decidedAtMs, ...rest }) => {
    return { id, decided_at: new Date(decidedAtMs).toISOString(), ...rest };
  });
  return text({ entries: shown, next });
}

function placeOf(after: string | undefined): { decidedAtMs: number; decisionId: string } | undefined {
  if (after === undefined) return undefined;
  const match = /^([0-9]{1,15})\.([a-z2-7]{8}-[0-9a-f-]{36})$/.exec(after);
  if (match === null) throw new TollgateError('usage', 'expected `after` as `next` of the page before gave it');
  return { decidedAtMs: Number(match[1]), decisionId: match[2]! };
}

function audit({ sinceMs, who, verb, limit, after }: AuditPageQuery): string {
  if (after !== undefined && !/^[0-9]{1,15}$/.test(after)) {
    throw new TollgateError('usage', 'expected `after` as `next` of the page before gave it');
  }
  // Records are few, and written by others too: a connection for each look.
  const book = openAuditReader(files.audit);
  if (book === undefined) return text({ entries: [], next: undefined });
  try {
    const found = book.list({
      limit: limit + 1,
      ...(sinceMs === undefined ? {} : { sinceMs }),
      ...(who === undefined ? {} : { who }),
      ...(verb === undefined ? {} : { verb }),
      ...(after === undefined ? {} : { beforeSeq: Number(after) }),
    });
    const entries = found.slice(0, limit);
    const next = found.length > limit ? String(entries.at(-1)?.seq) : undefined;
    return text({ entries: entries.map(shownRecord), next });
  } finally {
    book.close();
  }
}

answerAtDesk((question: BookQuestion): string | undefined => {
  switch (question.what) {
    case 'decision':
      return decision(question.id);
    case 'decisions':
      return decisions(question.query);
    case 'audit':
      return audit(question.query);
  }
});
