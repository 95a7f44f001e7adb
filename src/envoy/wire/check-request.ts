/** envoy.service.auth.v3.CheckRequest: bytes → the facts that a decision needs, and nothing else. */
import type { Call } from '../../decision/call.ts';
import { SelectedHeaders } from './headers.ts';
import { nameTable } from './names.ts';
import { Reader } from './reader.ts';
import { readStruct } from './struct.ts';

/** Namespace and key of a route's metadata that name our route (`route_metadata_context_namespaces: [tollgate]`). */
const ROUTE_METADATA = { namespace: 'tollgate', key: 'route' } as const;
/** Key of `context_extensions` that names our route. */
const ROUTE_EXTENSION = 'tollgate.route';

/** A Check that decodes, but says too little (or two things) about an HTTP request: a misconfigured filter, never an allow. */
export interface MalformedCheck {
  readonly malformed: string;
}

const ROUTE_EXTENSION_NAME = nameTable([ROUTE_EXTENSION]);
const ROUTE_NAMESPACE_NAME = nameTable([ROUTE_METADATA.namespace]);
const EMPTY = new Uint8Array(0);

/** What was read so far; mutable, local to one decode. */
interface Seen {
  http: boolean;
  headers: SelectedHeaders;
  method: string;
  path: string;
  body: Uint8Array | undefined;
  rawBody: Uint8Array | undefined;
  extensionRoute: string | undefined;
  metadataRoute: string | undefined;
}

/**
 * Reads a CheckRequest. `body` of the call is a view of `message`. `deadlineMs` is passed through.
 *
 * With `encode_raw_headers` each occurrence of a header is a value of its own. Without it Envoy joins repeats with a comma:
 * they arrive as one value, and stay one: no credential contains a comma, so identity refuses the value as ambiguous. It is
 * never split, for then a part of it could win.
 *
 * Throws `wire_invalid` for bytes that are no CheckRequest.
 */
export function readCheckRequest(message: Uint8Array, deadlineMs: number): Call | MalformedCheck {
  const seen: Seen = {
    http: false,
    headers: new SelectedHeaders(),
    method: '',
    path: '',
    body: undefined,
    rawBody: undefined,
    extensionRoute: undefined,
    metadataRoute: undefined,
  };
  const reader = new Reader(message);
  while (reader.more()) {
    if (reader.field() === 1) readAttributes(reader, seen);
    else reader.skip();
  }
  return callOf(seen, deadlineMs);
}

function callOf(seen: Seen, deadlineMs: number): Call | MalformedCheck {
  if (!seen.http) return { malformed: 'the check has no `attributes.request.http`' };
  if (seen.headers.count === 0) return { malformed: 'the check has neither `headers` nor `header_map`' };
  if (seen.method === '' || seen.path === '') return { malformed: 'the check has no method or no path' };
  const { extensionRoute, metadataRoute } = seen;
  if (extensionRoute !== undefined && metadataRoute !== undefined && extensionRoute !== metadataRoute) {
    return { malformed: 'context extension and route metadata name two routes' };
  }
  return {
    method: seen.method,
    path: seen.path,
    headers: seen.headers,
    body: seen.rawBody ?? seen.body ?? EMPTY,
    // Envoy writes `true` or `false`; a value that is neither is not trusted to mean a whole body.
    partialBody: seen.headers.get('x-envoy-auth-partial-body').some((value) => value !== 'false'),
    routeName: extensionRoute ?? metadataRoute,
    requestId: requestIdOf(seen.headers),
    deadlineMs,
  };
}

function requestIdOf(headers: SelectedHeaders): string | undefined {
  const values = headers.get('x-request-id');
  return values.length === 1 ? values[0] : undefined;
}

function readAttributes(reader: Reader, seen: Seen): void {
  const outer = reader.open();
  while (reader.more()) {
    switch (reader.field()) {
      case 4:
        readRequest(reader, seen);
        break;
      case 10:
        readExtension(reader, seen);
        break;
      case 13:
        readRouteMetadata(reader, seen);
        break;
      default:
        reader.skip();
    }
  }
  reader.close(outer);
}

function readRequest(reader: Reader, seen: Seen): void {
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() === 2) readHttp(reader, seen);
    else reader.skip();
  }
  reader.close(outer);
}

function readHttp(reader: Reader, seen: Seen): void {
  seen.http = true;
  const outer = reader.open();
  while (reader.more()) {
    switch (reader.field()) {
      case 2:
        seen.method = reader.text();
        break;
      case 3:
        seen.headers.read(reader);
        break;
      case 4:
        seen.path = reader.text();
        break;
      case 11:
        seen.body = whole(reader.bytes());
        break;
      case 12:
        seen.rawBody = whole(reader.bytes());
        break;
      case 13:
        readHeaderMap(reader, seen);
        break;
      default:
        reader.skip();
    }
  }
  reader.close(outer);
}

/** proto3 may send an empty field; it must not hide the other body field. */
function whole(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 0 ? undefined : bytes;
}

function readHeaderMap(reader: Reader, seen: Seen): void {
  const outer = reader.open();
  while (reader.more()) {
    if (reader.field() === 1) seen.headers.read(reader);
    else reader.skip();
  }
  reader.close(outer);
}

function readExtension(reader: Reader, seen: Seen): void {
  let ours = false;
  let value = '';
  const outer = reader.open();
  while (reader.more()) {
    const field = reader.field();
    if (field === 1) ours = reader.oneOf(ROUTE_EXTENSION_NAME) !== undefined;
    else if (field === 2) value = reader.text();
    else reader.skip();
  }
  reader.close(outer);
  if (ours) seen.extensionRoute = value;
}

/** config.core.v3.Metadata: a map from namespace to Struct, of which only ours is looked into. */
function readRouteMetadata(reader: Reader, seen: Seen): void {
  const metadata = reader.open();
  while (reader.more()) {
    if (reader.field() !== 1) {
      reader.skip();
      continue;
    }
    let ours = false;
    const entry = reader.open();
    while (reader.more()) {
      const field = reader.field();
      if (field === 1) ours = reader.oneOf(ROUTE_NAMESPACE_NAME) !== undefined;
      else if (field === 2 && ours) {
        const route = readStruct(reader).get(ROUTE_METADATA.key);
        if (typeof route === 'string') seen.metadataRoute = route;
      } else reader.skip();
    }
    reader.close(entry);
  }
  reader.close(metadata);
}
