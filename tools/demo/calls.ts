/** What the demo's callers do, in order: every kind of answer that Tollgate gives. */

/** Callers that get a key of their own. */
export const CALLERS = {
  support: { account: 'acme/support', class: 'interactive', kind: 'service', owner: 'support@acme.example' },
  search: { account: 'acme/search', class: 'interactive', kind: 'service', owner: 'search@acme.example' },
  agent: { account: 'acme/support', class: 'agentic', kind: 'agent', owner: 'support@acme.example' },
  globex: { account: 'globex', class: 'interactive', kind: 'service', owner: 'it@globex.example' },
} as const;
export type Caller = keyof typeof CALLERS;

export interface DemoCall {
  /** Who calls; `stranger` has a key that nobody made. */
  readonly who: Caller | 'stranger';
  readonly route: 'chat' | 'messages' | 'models';
  readonly model?: string;
  readonly stream?: boolean;
  /** Output cap of the request, tokens. */
  readonly cap?: number;
  /** Output that the stub provider reports, tokens. */
  readonly output?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls made at the same moment, after a line that says what is about to be seen. */
export interface Scene {
  readonly title: string;
  readonly calls: readonly DemoCall[];
  /** All at once; else one after the other, slower than any burst limit. */
  readonly together?: boolean;
}

function times(count: number, call: DemoCall): DemoCall[] {
  return Array.from({ length: count }, () => call);
}

export const SCENES: readonly Scene[] = [
  {
    title: 'allowed: JSON and streams, OpenAI and Anthropic',
    calls: [
      { who: 'support', route: 'models' },
      ...times(2, { who: 'support', route: 'chat', model: 'gpt-5-mini', cap: 400, output: 120 }),
      ...times(2, { who: 'support', route: 'chat', model: 'gpt-5-mini', cap: 400, output: 200, stream: true }),
      { who: 'support', route: 'messages', model: 'claude-sonnet', cap: 500, output: 180 },
      { who: 'support', route: 'messages', model: 'claude-sonnet', cap: 500, output: 220, stream: true },
      {
        who: 'agent',
        route: 'chat',
        model: 'gpt-5-mini',
        cap: 300,
        output: 90,
        headers: { 'tollgate-run': 'demo-run-1' },
      },
    ],
  },
  {
    title: 'asked for gpt-5; once its 8k tokens of the day are spent, gpt-5-mini serves',
    calls: times(8, { who: 'support', route: 'chat', model: 'gpt-5', cap: 1500, output: 1400 }),
  },
  {
    title: 'a team budget (0.05 USD a month) inside the customer budget (500 USD)',
    calls: times(7, { who: 'search', route: 'chat', model: 'gpt-5-mini', cap: 5000, output: 4800 }),
  },
  {
    title: 'a burst: 14 calls at once on a key that may burst 10',
    calls: times(14, { who: 'globex', route: 'chat', model: 'gpt-5-mini', cap: 100, output: 60 }),
    together: true,
  },
  {
    title: 'not bought, not claimed, not known',
    calls: [
      { who: 'globex', route: 'chat', model: 'gpt-5', cap: 100 },
      { who: 'agent', route: 'chat', model: 'gpt-5-mini', cap: 100 },
      { who: 'stranger', route: 'chat', model: 'gpt-5-mini', cap: 100 },
    ],
  },
];
