/** envoy.service.auth.v3.CheckResponse: the one place where a decision becomes what Envoy is told. */
import { kindOf } from '../../core/reasons.ts';
import type { Allow, Decision, Deny } from '../../decision/decision.ts';
import type { Edit, ErrorAnswer, Problem } from '../../dialects/dialect.ts';
import { dialect, problemJson } from '../../dialects/dialects.ts';
import type { Hold } from '../../ledger/hold.ts';
import { clientText } from './header-value.ts';
import { denialFields, type Fields, METADATA_KEY } from './metadata.ts';
import { type Header, limitHeaders, retryHeaders, retryWaitMs } from './rate-limit-headers.ts';
import { writeNested } from './struct.ts';
import { Writer } from './writer.ts';

export interface AnswerOptions {
  /** What of a hold travels with the request, as pairs of strings. */
  readonly holdToFields: (hold: Hold) => Fields;
  /** In [0, 1): spreads the waits that are told. */
  readonly jitter: number;
}

/** google.rpc.Code. Envoy looks only at whether it is 0, which is an allow, as is an absent status. */
const CODE = { ok: 0, permissionDenied: 7, resourceExhausted: 8, unavailable: 14, unauthenticated: 16 } as const;
/** HeaderValueOption.append_action. Its zero value appends, so that a client's own copy would stand beside ours. */
const OVERWRITE_IF_EXISTS_OR_ADD = 2;

const writer = new Writer();

/**
 * A CheckResponse. Its status code is always set. Denials of the kind `unavailable` become `error_response` with a code that
 * is not 0, so that Envoy counts an error (one older than 1.37 denies with 403). Throws, and leaves nothing behind, if the
 * decision cannot be expressed: answer an internal error then, never nothing.
 */
export function encodeCheckResponse(decision: Decision, options: AnswerOptions): Buffer {
  writer.clear();
  if (decision.outcome === 'allow') writeAllow(decision, options);
  else writeDeny(decision, options);
  return writer.finish();
}

/** Fields are written last to first: see Writer. */
function writeAllow(allow: Allow, { holdToFields }: AnswerOptions): void {
  const { hold } = allow;
  const { set, remove } = requestHeaders(allow);
  writeMetadata(holdToFields(hold));
  const ok = writer.mark();
  writeHeaders(6, answerHeaders(allow));
  for (let i = remove.length - 1; i >= 0; i--) writer.text(5, remove[i]!);
  writeHeaders(2, set);
  writer.message(3, ok);
  writeStatus(CODE.ok);
}

/** Headers of ours that are behind us on an allowed request: each is overwritten or removed, never left as it came. */
function requestHeaders(allow: Allow): { set: Header[]; remove: string[] } {
  const { hold, edits, route } = allow;
  const set: Header[] = [['x-tollgate-decision', hold.decisionId]];
  const remove: string[] = route.forwardCredential ? [] : [...allow.credentialHeaders];
  const put = (name: string, value: string | undefined): void => {
    if (value === undefined || value === '') remove.push(name);
    else set.push([name, value]);
  };
  // Envoy keeps the route that was decided (clear_route_cache: false); only what the provider is asked changes.
  if (allow.path !== undefined) set.push([':path', allow.path]);
  put('x-tollgate-model', hold.model === undefined ? undefined : clientText(hold.model));
  put('x-tollgate-requested-model', hold.requestedModel === undefined ? undefined : clientText(hold.requestedModel));
  put('x-tollgate-edit', edits.length === 0 ? undefined : editText(edits));
  put('x-tollgate-edit-size', edits.length === 0 ? undefined : String(allow.bodyBytes));
  remove.push('x-tollgate-limit');
  return { set, remove };
}

/** What the caller reads beside the provider's answer; a downgraded one says so, and names the limit if it is the caller's own. */
function answerHeaders({ hold, stepLimit }: Allow): Header[] {
  const headers: Header[] = [['x-tollgate-decision', hold.decisionId]];
  if (hold.model !== undefined) headers.push(['x-tollgate-model', clientText(hold.model)]);
  if (hold.downgradedBy !== undefined) {
    headers.push(['x-tollgate-requested-model', clientText(hold.requestedModel ?? '')]);
    if (stepLimit !== undefined) headers.push(['x-tollgate-limit', clientText(stepLimit)]);
  }
  return headers.filter(([, value]) => value !== '');
}

/** `offset,length,text;` for each edit, ascending; the Lua filter behind ext_authz splices them. */
function editText(edits: readonly Edit[]): string {
  let text = '';
  let end = 0;
  for (const edit of edits) {
    if (edit.offset < end) throw new RangeError(`edit at \`${edit.offset}\` overlaps the one before it`);
    if (!/^[\x20-\x3a\x3c-\x7e]*$/.test(edit.text)) throw new RangeError('edit text must be visible ascii without `;`');
    end = edit.offset + edit.length;
    text += `${edit.offset},${edit.length},${edit.text};`;
  }
  return text;
}

function writeDeny(deny: Deny, { jitter }: AnswerOptions): void {
  const answer = errorAnswer(deny);
  const waitMs = retryWaitMs(deny, jitter);
  const headers: Header[] = [
    ['content-type', answer.contentType],
    ['x-tollgate-decision', deny.decisionId],
    ...retryHeaders(waitMs),
  ];
  if (answer.status === 401) headers.push(['www-authenticate', challenge(deny)]);
  if (deny.limit !== undefined) headers.push(...limitHeaders(deny.limit, waitMs));
  const unavailable = kindOf(deny.reason) === 'unavailable';
  const denied = writer.mark();
  writer.text(3, answer.body);
  writeHeaders(2, headers);
  const status = writer.mark();
  writer.varint(1, unavailable ? 503 : answer.status);
  writer.message(1, status);
  // error_response is field 5, behind dynamic_metadata; the order of fields on the wire does not matter.
  writer.message(unavailable ? 5 : 2, denied);
  writeMetadata(denialFields(deny));
  writeStatus(codeOf(deny));
}

/** In the caller's own dialect, where the route is known and has one. */
function errorAnswer(deny: Deny): ErrorAnswer {
  const problem: Problem = {
    reason: deny.reason,
    message: deny.message,
    decisionId: deny.decisionId,
    ...(deny.limit === undefined ? {} : { limit: deny.limit.name, limitUnit: deny.limit.unit }),
  };
  const name = deny.route?.dialect;
  const spoken = name === undefined ? undefined : dialect(name);
  return spoken === undefined ? problemJson(problem) : spoken.error(problem);
}

/** RFC 6750 section 3: no error attribute for a request that carried no credential. */
function challenge(deny: Deny): string {
  return deny.reason === 'credential_missing'
    ? 'Bearer realm="tollgate"'
    : 'Bearer realm="tollgate", error="invalid_token"';
}

function codeOf(deny: Deny): number {
  switch (kindOf(deny.reason)) {
    case 'unavailable':
      return CODE.unavailable;
    case 'credential':
      return CODE.unauthenticated;
    case 'rate':
    case 'budget':
      return CODE.resourceExhausted;
    default:
      return CODE.permissionDenied;
  }
}

function writeMetadata(fields: Fields): void {
  const metadata = writer.mark();
  writeNested(writer, METADATA_KEY, fields);
  writer.message(4, metadata);
}

/** Each header replaces what stands there. Older Envoys read `append` only, newer ones `append_action`: both are sent. */
function writeHeaders(field: number, headers: readonly Header[]): void {
  for (let i = headers.length - 1; i >= 0; i--) {
    const [name, value] = headers[i]!;
    const option = writer.mark();
    writer.varint(3, OVERWRITE_IF_EXISTS_OR_ADD);
    const append = writer.mark();
    writer.bool(1, false);
    writer.message(2, append);
    const header = writer.mark();
    writer.text(2, value);
    writer.text(1, name);
    writer.message(1, header);
    writer.message(field, option);
  }
}

function writeStatus(code: number): void {
  const status = writer.mark();
  writer.varint(1, code);
  writer.message(1, status);
}
