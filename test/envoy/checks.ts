/** CheckRequests and decisions as the tests of this room need them. */
import type { Allow, Deny } from '../../src/decision/decision.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import type { Route } from '../../src/policy/policy.ts';
import { SERVED } from '../support/hold.ts';
import { encode } from './protos.ts';

export interface CheckParts {
  readonly method?: string;
  readonly path?: string;
  /** One per occurrence, as `encode_raw_headers` sends them. */
  readonly headerMap?: readonly (readonly [name: string, value: string | Buffer])[];
  /** As Envoy sends them without it. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly textBody?: string;
  readonly extensions?: Readonly<Record<string, string>>;
  readonly routeMetadata?: Readonly<Record<string, unknown>>;
}

/** A CheckRequest as Envoy encodes it, with the fields around ours that nobody reads. */
export function checkRequest(parts: CheckParts = {}): Buffer {
  return encode('envoy.service.auth.v3.CheckRequest', {
    attributes: {
      source: { address: { socket_address: { address: '10.0.0.7', port_value: 40_000 } }, principal: 'spiffe://x' },
      destination: { address: { socket_address: { address: '10.0.0.8', port_value: 443 } } },
      request: { time: { seconds: 1_790_000_000, nanos: 5 }, http: httpRequest(parts) },
      context_extensions: parts.extensions ?? {},
      metadata_context: { filter_metadata: {} },
      ...(parts.routeMetadata === undefined
        ? {}
        : { route_metadata_context: { filter_metadata: parts.routeMetadata } }),
    },
  });
}

function httpRequest(parts: CheckParts): Record<string, unknown> {
  const raw = parts.headerMap ?? (parts.headers === undefined ? [[':method', 'POST'] as const] : []);
  return {
    id: '1234567890',
    method: parts.method ?? 'POST',
    path: parts.path ?? '/v1/chat/completions',
    host: 'api.acme.example',
    scheme: 'https',
    size: parts.body?.length ?? -1,
    protocol: 'HTTP/2',
    headers: parts.headers ?? {},
    ...(raw.length === 0
      ? {}
      : { header_map: { headers: raw.map(([key, value]) => ({ key, raw_value: Buffer.from(value as string) })) } }),
    ...(parts.body === undefined ? {} : { raw_body: parts.body }),
    ...(parts.textBody === undefined ? {} : { body: parts.textBody }),
  };
}

export const CHAT: Route = {
  name: 'chat',
  method: 'POST',
  path: '/v1/chat/completions',
  template: undefined,
  dialect: 'openai-chat',
  metered: true,
  bodyMaxBytes: 4_194_304,
  lastsMaxMs: 900_000,
  streamUsage: 'add',
  storedState: 'allow',
  ledgerFull: 'refuse',
  forwardCredential: false,
  enforce: 'on',
};

export const HOLD: Hold = {
  ...SERVED,
  decisionId: 'abcdefgh-01890a5d-ac96-7aaa-8bbb-0123456789ab',
  decidedAtMs: 1_790_000_000_000,
  expiresAtMs: 1_790_000_960_000,
  estimate: { inputTokens: 10, outputTokens: 2000, charge: 20_012_500, cost: 16_010_000, outputMax: 128_000 },
};

export function allow(parts: Partial<Allow> & { readonly hold?: Hold } = {}): Allow {
  return {
    outcome: 'allow',
    hold: HOLD,
    edits: [],
    bodyBytes: 120,
    path: undefined,
    route: CHAT,
    credentialHeaders: ['authorization'],
    stepLimit: undefined,
    ...parts,
  };
}

export function deny(parts: Partial<Deny> = {}): Deny {
  return {
    outcome: 'deny',
    reason: 'rate_limited',
    message: 'limit `key-burst` is reached',
    decisionId: HOLD.decisionId,
    decidedAtMs: HOLD.decidedAtMs,
    policyVersion: HOLD.policyVersion,
    principal: {
      account: 'acme/search',
      credential: 'k7f3q2',
      kind: 'service',
      proof: 'api_key',
      actor: undefined,
      class: 'interactive',
      confidence: 'exact',
    },
    customer: 'acme',
    route: CHAT,
    requestedModel: 'gpt-5',
    limit: undefined,
    waitMs: 1500,
    firedLimit: 'key-burst',
    ...parts,
  };
}
