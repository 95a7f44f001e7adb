/** What rows of hostile requests are made of. */
export const CHAT = '/v1/chat/completions';
export const MESSAGES = '/v1/messages';
export const POST_CHAT = `POST ${CHAT} HTTP/1.1`;
export const POST_MESSAGES = `POST ${MESSAGES} HTTP/1.1`;

/** Callers, what each may use, and the account that pays. `<open>` in a row stands for the secret key of `open`. */
export const CALLERS = {
  open: { account: 'acme/open', models: ['gpt-5', 'gpt-5-mini', 'claude-sonnet'] },
  batch: { account: 'acme/batch', class: 'batch', models: ['gpt-5', 'gpt-5-mini'] },
  starter: { account: 'globex', models: ['gpt-5-mini'] },
} as const;
export type Caller = keyof typeof CALLERS;

export interface Row {
  readonly name: string;
  /** Default POST_CHAT. */
  readonly line?: string;
  /** Whose key is sent as a bearer token; default `open`. */
  readonly as?: Caller;
  /** Header lines that carry the credential, instead of that one. */
  readonly credential?: readonly string[];
  /** Default JSON. */
  readonly type?: readonly string[];
  /** More header lines. */
  readonly headers?: readonly string[];
  /** Default: gpt-5-mini is asked for five tokens. */
  readonly body?: string | Buffer;
  /** Header lines that frame the body; default its content-length. */
  readonly framing?: readonly string[];
  /** The exact bytes instead of all that. */
  readonly bytes?: string;
  /** How many requests these bytes are; default 1. */
  readonly requests?: number;
  readonly status: number;
  /** `error.code` of a refusal of ours; without one nobody was asked, or the refusal is Envoy's. */
  readonly code?: string;
  /** The model that is served; default gpt-5-mini. */
  readonly served?: string;
  /** Of what was admitted. */
  readonly classes?: readonly string[];
  /** Admitted, but not sent: Envoy could not. */
  readonly released?: true;
}

export const ASK = '{"model":"gpt-5-mini","max_tokens":5,"messages":[]}';
export const DOWNGRADED = '{"model":"gpt-5","max_tokens":120000,"stream":true,"messages":[]}';
export const CLAUDE = '{"model":"claude-sonnet","max_tokens":5,"messages":[]}';

/** A call of gpt-5-mini with these members. */
export function asking(members: string): string {
  return `{"model":"gpt-5-mini","messages":[],${members}}`;
}

export const FORGED_ID = 'aaaaaaaa-00000000-0000-7000-8000-000000000000';
