import type { DemoCall } from './calls.ts';

const PATHS = { chat: '/v1/chat/completions', messages: '/v1/messages', models: '/v1/models' } as const;
/** An answer of the stub takes milliseconds. */
const ANSWER_MS = 20_000;

export interface DemoAnswer {
  readonly status: number;
  readonly decision: string | undefined;
  /** The model that served, as Tollgate's answer header says. */
  readonly model: string | undefined;
  readonly limit: string | undefined;
  readonly retryAfter: string | undefined;
  /** The error's message, where it is one. */
  readonly message: string | undefined;
}

/** One real call through Envoy. Reads the whole answer. */
export async function sendCall(url: string, call: DemoCall, key: string): Promise<DemoAnswer> {
  const response = await fetch(url + PATHS[call.route], {
    ...requestOf(call, key),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const text = await response.text();
  const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
  return {
    status: response.status,
    decision: header('x-tollgate-decision'),
    model: header('x-tollgate-model'),
    limit: header('x-tollgate-limit'),
    retryAfter: header('retry-after'),
    message: response.ok ? undefined : messageOf(text),
  };
}

function requestOf(call: DemoCall, key: string): RequestInit {
  const credential: Record<string, string> =
    call.route === 'messages' ? { 'x-api-key': key } : { authorization: `Bearer ${key}` };
  if (call.route === 'models') return { headers: credential };
  const control =
    call.output === undefined ? {} : { 'stub-behaviour': JSON.stringify({ usage: { output: call.output } }) };
  return {
    method: 'POST',
    headers: { ...credential, ...control, ...call.headers, 'content-type': 'application/json' },
    body: JSON.stringify(bodyOf(call)),
  };
}

function bodyOf(call: DemoCall): object {
  return {
    model: call.model,
    messages: [{ role: 'user', content: 'Why does a toll gate ask before it opens?' }],
    max_tokens: call.cap,
    ...(call.stream === true ? { stream: true } : {}),
  };
}

function messageOf(text: string): string {
  try {
    const body = JSON.parse(text) as { error?: { message?: string }; detail?: string };
    return body.error?.message ?? body.detail ?? text;
  } catch {
    return text;
  }
}
