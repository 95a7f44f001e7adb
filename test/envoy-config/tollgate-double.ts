import { join } from 'node:path';
import { beforeEach } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type sendUnaryData,
  type status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Gateway } from '../../tools/envoy/gateway.ts';
import { gatewayFor } from '../support/envoy.ts';
import { ROOT } from '../support/process.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

/** A request as Envoy has asked about it. */
export interface SeenCheck {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** One entry per occurrence, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** What the double answers. Headers are set over those of the client. */
export type Verdict =
  | { readonly allow: Readonly<Record<string, string>>; readonly remove?: readonly string[] }
  | { readonly deny: number; readonly body?: string }
  /** A gRPC error in place of an answer. */
  | { readonly fail: status }
  /** An `error_response` of 503 with this body. */
  | { readonly undecided: string };

/** An access-log entry, as far as the tests look. */
export interface SeenEntry {
  readonly decisionId: string | undefined;
  readonly type: string;
  readonly status: number;
  readonly details: string;
  readonly attempts: number;
  readonly usage: Readonly<Record<string, string | number>>;
  readonly clientGone: boolean;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly responseBodyBytes: number;
}

/** A stand-in for Tollgate: these tests are about Envoy's side of the wire. Allows everything unless told otherwise. */
export interface TollgateDouble {
  /** 0 on a Unix socket. */
  readonly port: number;
  /** Empty on TCP. */
  readonly socketPath: string;
  readonly checks: readonly SeenCheck[];
  readonly entries: readonly SeenEntry[];
  /** Decides all later checks. */
  decide(verdict: (check: SeenCheck) => Verdict): void;
  /** The entry of the request with this decision id; rejects after 3 s. */
  entryOf(decisionId: string): Promise<SeenEntry>;
  stop(): void;
}

export const ALLOW: Verdict = { allow: {} };

interface WireStruct {
  readonly fields?: Readonly<Record<string, WireValue>>;
}
interface WireValue {
  readonly stringValue?: string;
  readonly numberValue?: number;
  readonly structValue?: WireStruct;
}
interface WireCheck {
  readonly attributes: {
    readonly request: {
      readonly http: {
        readonly method: string;
        readonly path: string;
        readonly raw_body?: Buffer;
        readonly header_map: { readonly headers: readonly { key: string; raw_value?: Buffer }[] };
      };
    };
  };
}
interface WireEntry {
  readonly common_properties: {
    readonly access_log_type?: string;
    readonly upstream_request_attempt_count?: number;
    readonly metadata?: { readonly filter_metadata?: Readonly<Record<string, WireStruct>> };
    readonly response_flags?: {
      readonly downstream_connection_termination?: boolean;
      readonly downstream_remote_reset?: boolean;
    };
  };
  readonly request?: { readonly request_headers?: Record<string, string> };
  readonly response?: {
    readonly response_code?: { readonly value?: number };
    readonly response_code_details?: string;
    readonly response_headers?: Record<string, string>;
    readonly response_body_bytes?: number;
  };
}

/** A double behind the sample Envoy, for a suite: before each of its tests the stub is as new and everything is allowed. */
export async function gatewayOfDouble(
  scope: Scope,
): Promise<{ readonly tollgate: TollgateDouble; readonly gateway: Gateway }> {
  const tollgate = await startDouble(scope);
  const gateway = await gatewayFor(scope, { check: { port: tollgate.port } });
  beforeEach(() => {
    gateway.stub.reset();
    tollgate.decide(() => ALLOW);
  });
  return { tollgate, gateway };
}

export async function startDouble(
  scope: Scope,
  options: { readonly port?: number; readonly socket?: boolean } = {},
): Promise<TollgateDouble> {
  const checks: SeenCheck[] = [];
  const entries: SeenEntry[] = [];
  let verdictOf: (check: SeenCheck) => Verdict = () => ALLOW;

  const server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 });
  server.addService(service('auth', 'Authorization'), {
    Check(call: ServerUnaryCall<WireCheck, unknown>, reply: sendUnaryData<unknown>) {
      const check = seen(call.request, `d-${checks.length}`);
      checks.push(check);
      const verdict = verdictOf(check);
      if ('fail' in verdict) reply({ code: verdict.fail, details: 'told to fail' });
      else reply(null, answer(check, verdict));
    },
  });
  server.addService(service('accesslog', 'AccessLogService'), {
    StreamAccessLogs(call: ServerReadableStream<{ http_logs?: { log_entry?: WireEntry[] } }, unknown>) {
      call.on('data', (message) => entries.push(...(message.http_logs?.log_entry ?? []).map(entry)));
      call.on('error', () => {});
    },
  });
  const socketPath = options.socket === true ? join(await tempDir(scope), 'tollgate.sock') : '';
  const target = socketPath === '' ? `127.0.0.1:${options.port ?? 0}` : `unix:${socketPath}`;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  scope.after(() => server.forceShutdown());
  return {
    port: socketPath === '' ? port : 0,
    socketPath,
    checks,
    entries,
    decide(verdict) {
      verdictOf = verdict;
    },
    async entryOf(decisionId) {
      const until = performance.now() + 3000;
      for (;;) {
        const found = entries.find((each) => each.decisionId === decisionId && each.type === 'DownstreamEnd');
        if (found !== undefined) return found;
        if (performance.now() > until) throw new Error(`no access-log entry of ${decisionId}`);
        await sleep(20);
      }
    },
    stop: () => server.forceShutdown(),
  };
}

function service(area: 'auth' | 'accesslog', name: string): ServiceClientConstructor['service'] {
  const file = area === 'auth' ? 'external_auth' : 'als';
  const definition = loadSync(`envoy/service/${area}/v3/${file}.proto`, {
    includeDirs: [join(ROOT, 'protos')],
    keepCase: true,
    longs: Number,
    enums: String,
  });
  let node: unknown = loadPackageDefinition(definition);
  for (const part of ['envoy', 'service', area, 'v3', name]) node = (node as Record<string, unknown>)[part];
  return (node as ServiceClientConstructor).service;
}

function seen(request: WireCheck, id: string): SeenCheck {
  const { http } = request.attributes.request;
  return {
    id,
    method: http.method,
    path: http.path,
    headers: http.header_map.headers.map(({ key, raw_value }) => [key, raw_value?.toString() ?? ''] as const),
    body: http.raw_body ?? Buffer.alloc(0),
  };
}

function answer(check: SeenCheck, verdict: Exclude<Verdict, { readonly fail: status }>): unknown {
  const fields = { decision_id: { stringValue: check.id } };
  const dynamic_metadata = { fields: { tollgate: { structValue: { fields } } } };
  if ('deny' in verdict) {
    const denied_response = { status: { code: verdict.deny }, headers: [], body: verdict.body ?? '' };
    return { status: { code: 7 }, denied_response, dynamic_metadata };
  }
  if ('undecided' in verdict) {
    const error_response = {
      status: { code: 503 },
      headers: [overwrite(['retry-after', '1'])],
      body: verdict.undecided,
    };
    return { status: { code: 14 }, error_response, dynamic_metadata };
  }
  const headers = { 'x-tollgate-decision': check.id, ...verdict.allow };
  return {
    status: { code: 0 },
    ok_response: {
      headers: Object.entries(headers).map(overwrite),
      headers_to_remove: verdict.remove ?? ['authorization', 'x-api-key'],
      response_headers_to_add: [overwrite(['x-tollgate-decision', check.id])],
    },
    dynamic_metadata,
  };
}

function overwrite([key, value]: readonly [string, string]): unknown {
  return { header: { key, value }, append: { value: false }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

function entry({ common_properties: common, request, response }: WireEntry): SeenEntry {
  const namespaces = common.metadata?.filter_metadata ?? {};
  const decided = namespaces['envoy.filters.http.ext_authz']?.fields?.['tollgate']?.structValue?.fields;
  const usage: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(namespaces['tollgate.usage']?.fields ?? {})) {
    usage[key] = value.stringValue ?? value.numberValue ?? 'neither string nor number';
  }
  return {
    decisionId: decided?.['decision_id']?.stringValue,
    type: common.access_log_type ?? 'NotSet',
    status: response?.response_code?.value ?? 0,
    details: response?.response_code_details ?? '',
    attempts: common.upstream_request_attempt_count ?? 0,
    usage,
    clientGone:
      common.response_flags?.downstream_connection_termination === true ||
      common.response_flags?.downstream_remote_reset === true,
    requestHeaders: request?.request_headers ?? {},
    responseHeaders: response?.response_headers ?? {},
    responseBodyBytes: response?.response_body_bytes ?? 0,
  };
}
