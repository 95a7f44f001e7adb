/** The door as a token meets it: a real bundle, identifier, decider and ext_authz handler, and a time that the test tells. */
import assert from 'node:assert/strict';
import type { Clock } from '../../src/core/clock.ts';
import { mintDecisionId } from '../../src/core/ids.ts';
import type { Reason } from '../../src/core/reasons.ts';
import { Decider } from '../../src/decision/check.ts';
import { serveCheck } from '../../src/envoy/check-service.ts';
import { CredentialIdentifier } from '../../src/identity/identify.ts';
import { fetchKeySet } from '../../src/identity/key-fetch.ts';
import { type IdentityRefusal, isRefusal, type Principal } from '../../src/identity/principal.ts';
import { TokenProver } from '../../src/identity/token-prover.ts';
import { holdToFields } from '../../src/ledger/fields.ts';
import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { policyOf } from '../decision/bundle.ts';
import { checkRequest } from '../envoy/checks.ts';
import { decode } from '../envoy/protos.ts';
import type { Members } from '../support/issuer.ts';
import type { Scope } from '../support/scope.ts';
import { headersOf } from './headers.ts';

export const NOW_MS = Date.UTC(2026, 10, 24, 12);
const NOW = NOW_MS / 1000;
const LEDGER_ID = 'abcdefgh';
const PEPPERS = { newest: undefined, byVersion: new Map() };

/** Claims of a good token of issuer `corp`. */
export const CLAIMS: Members = {
  iss: 'https://id.acme.example',
  aud: 'ai-gateway',
  sub: 'ann',
  team: 'search',
  iat: NOW,
  exp: NOW + 600,
};

/** An entry of `issuers` in flow style. */
export function issuerEntry(jwks: string, changes: Members = {}): string {
  const { name = 'corp', ...others } = changes;
  const entry = {
    issuer: CLAIMS['iss'],
    jwks,
    audience: 'ai-gateway',
    algorithms: ['ES256', 'RS256'],
    type: 'at+jwt',
    age_max: '24h',
    account: 'acme/{team}',
    actor: '{sub}',
    kind: 'human',
    class: 'interactive',
    ...others,
  };
  return `${String(name)}: ${JSON.stringify(entry)}`;
}

export class TokenDoor {
  nowMs = NOW_MS;
  monotonicMs = 1_000_000;
  readonly faults: string[] = [];
  readonly policy: Policy;
  readonly identifier: CredentialIdentifier;
  readonly #check: ReturnType<typeof serveCheck>;

  constructor(policy: Policy) {
    this.policy = policy;
    const clock: Clock = { nowMs: () => this.nowMs, monotonicMs: () => this.monotonicMs };
    const onFault = (fault: string, { issuer, detail }: { issuer: string; detail: string }) =>
      void this.faults.push(`${issuer} ${fault}: ${detail}`);
    this.identifier = new CredentialIdentifier(PEPPERS, new TokenProver({ clock, fetch: fetchKeySet, onFault }));
    const decider = new Decider({
      policy: () => this.policy,
      identifier: this.identifier,
      store: new MemoryLimitStore(clock, { isDurable: true }),
      clock,
      ledgerId: LEDGER_ID,
      admit: () => true,
      withdraw: () => {},
      expire: () => {},
      refuse: ({ decisionId }) => decisionId,
      expiryGraceMs: 60_000,
    });
    this.#check = serveCheck({
      decide: (call) => decider.decide(call),
      withdraw: () => {},
      holdToFields,
      clock,
      random: () => 0,
      mintId: () => mintDecisionId(LEDGER_ID, this.nowMs),
      policyVersion: () => policy.version,
      onFault: (fault, cause) => assert.fail(`${fault}: ${String(cause)}`),
    });
  }

  /** Time passes on both clocks. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.monotonicMs += ms;
  }

  async identify(token: string, policy = this.policy): Promise<Principal | IdentityRefusal> {
    return this.identifier.identify(headersOf([['authorization', `Bearer ${token}`]]), policy, this.nowMs);
  }

  /** `let in`, or why not; no detail may show anything of the token. */
  async reasonOf(token: string, policy = this.policy): Promise<Reason | 'let in'> {
    const found = await this.identify(token, policy);
    if (!isRefusal(found)) return 'let in';
    for (const part of token.split('.')) assert.ok(part.length < 8 || !found.detail.includes(part), found.detail);
    return found.reason;
  }

  /** What Envoy is told of a call with this token, without the decision's id. */
  async faceOf(token: string, { path = '/v1/chat/completions', headers }: FaceOptions = {}): Promise<string> {
    const request = checkRequest({
      path,
      headerMap: [...(headers ?? [['authorization', `Bearer ${token}`]]), ['content-type', 'application/json']],
      body: Buffer.from('{"model":"large","messages":[{"role":"user","content":"hello"}],"max_tokens":10}'),
    });
    const call = { deadlineMs: this.monotonicMs + 60_000, cancelled: false, onCancelled: () => {} };
    assert.ok(this.#check.kind === 'unary');
    const answer = decode('envoy.service.auth.v3.CheckResponse', await this.#check.handle(request, call));
    // Without the metadata, which are for the gateway's log.
    const { status, ok_response, denied_response, error_response } = answer;
    const text = JSON.stringify({ status, ok_response, denied_response, error_response });
    return text.replaceAll(/[a-z2-7]{8}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID');
  }
}

interface FaceOptions {
  readonly path?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** A door with these issuers. */
export async function doorOf(scope: Scope, issuers: readonly string[]): Promise<TokenDoor> {
  return new TokenDoor(await policyOf(scope, { issuers }));
}
