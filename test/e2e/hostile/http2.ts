import { CHAT, DOWNGRADED, FORGED_ID } from './row.ts';
export interface Http2Change {
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: readonly string[];
  readonly trailers?: Readonly<Record<string, string>>;
}

/** Calls that are downgraded and edited, with a change to each. */
export const HTTP2: readonly (readonly [name: string, change: Http2Change, status: number])[] = [
  ['as it should be', {}, 200],
  ['in three pieces', { body: [DOWNGRADED.slice(0, 5), DOWNGRADED.slice(5, 12), DOWNGRADED.slice(12)] }, 200],
  [
    'x-tollgate-* and x-envoy-*',
    { headers: { 'x-tollgate-edit': '0,1,x;', 'x-tollgate-decision': FORGED_ID, 'x-envoy-max-retries': '9' } },
    200,
  ],
  [
    'trailers that look like headers',
    { trailers: { 'x-tollgate-decision': FORGED_ID, authorization: 'Bearer x' } },
    200,
  ],
  ['a host beside the authority', { headers: { ':authority': 'gateway.example', host: 'other.example' } }, 200],
  ['another scheme', { headers: { ':scheme': 'ftp' } }, 200],
  ['an escaped path', { headers: { ':path': '//v1/x/../chat/%63ompletions' } }, 200],
  ['an escaped slash', { headers: { ':path': '/v1/chat%2fcompletions' } }, 400],
  ['a method in lower case', { headers: { ':method': 'post' } }, 404],
  ['a length that is too small', { headers: { 'content-length': '5' } }, 0],
  ['a length that is too large', { headers: { 'content-length': '500' } }, 0],
  ['no body', { body: [] }, 400],
];

export const FIELDS: readonly (readonly [string, string])[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', CHAT],
  [':authority', 'gateway.example'],
  ['authorization', 'Bearer <open>'],
  ['content-type', 'application/json'],
];

/** Requests of HTTP/2 that are none; but for the first, without which the others would show nothing. */
export const MALFORMED_HTTP2: readonly (readonly [
  name: string,
  fields: readonly (readonly [string, string])[],
  end?: 'answered',
])[] = [
  ['a bad key, else well-formed', FIELDS.map(([name, value]) => [name, value.replace('<open>', 'x')]), 'answered'],
  ['two paths', [[':path', '/v1/models'], ...FIELDS]],
  ['two methods', [[':method', 'GET'], ...FIELDS]],
  ['an unknown pseudo header', [[':x-tollgate', '1'], ...FIELDS]],
  ['a pseudo header of an answer', [[':status', '200'], ...FIELDS]],
  ['a pseudo header behind the others', [...FIELDS.filter(([name]) => name !== ':path'), [':path', CHAT]]],
  ['no path', FIELDS.filter(([name]) => name !== ':path')],
  ['an empty path', FIELDS.map(([name, value]) => [name, name === ':path' ? '' : value])],
  ['a path without a slash', FIELDS.map(([name, value]) => [name, name === ':path' ? 'v1/chat/completions' : value])],
  ['a name in capitals', [...FIELDS, ['X-Tollgate-Decision', FORGED_ID]]],
  ['a space in a name', [...FIELDS, ['x-tollgate-decision ', FORGED_ID]]],
  ['an empty name', [...FIELDS, ['', 'x']]],
  ['a line break in a value', [...FIELDS, ['x-a', `b\r\nx-tollgate-decision: ${FORGED_ID}`]]],
  ['a NUL in a value', [...FIELDS, ['x-a', 'b\0c']]],
  ['a connection header', [...FIELDS, ['connection', 'x-tollgate-decision']]],
  ['a transfer coding', [...FIELDS, ['transfer-encoding', 'chunked']]],
  ['an upgrade', [...FIELDS, ['upgrade', 'websocket']]],
  ['two lengths', [...FIELDS, ['content-length', '51'], ['content-length', '5']]],
  ['a websocket by CONNECT', [[':protocol', 'websocket'], ...FIELDS.slice(1), [':method', 'CONNECT']]],
];
