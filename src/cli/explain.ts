import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { systemClock } from '../core/clock.ts';
import { TollgateError } from '../core/errors.ts';
import type { Call } from '../decision/call.ts';
import { decideDry } from '../decision/dry.ts';
import { type Explanation, explanationOf, explanationOfDry } from '../decision/explanation.ts';
import { judgeKey } from '../identity/identify.ts';
import type { LedgerReader } from '../ledger/reader.ts';
import { MemoryLimitStore } from '../limits/memory-store.ts';
import { RESERVATION } from '../limits/rows.ts';
import { fitsPath, pathOf } from '../policy/path-template.ts';
import type { Policy, Route } from '../policy/policy.ts';
import { policyOf } from './bundle.ts';
import { jsonText } from './json.ts';
import { type LedgerOptions, readLedger } from './ledger-option.ts';
import { renderExplanation } from './render-explanation.ts';

interface ExplainOptions extends LedgerOptions {
  readonly key?: string;
  readonly route?: string;
  readonly model?: string;
  readonly class?: string;
  readonly run?: string;
  readonly maxTokens?: string;
  readonly body?: string;
  readonly json?: boolean;
}

/** `tollgate explain`: why a decision was made, or which one would be made now. Changes nothing. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('why a call was allowed or refused, or what would happen to one now')
    .argument('[id]', 'decision id, as in the answer header `x-tollgate-decision`')
    .option('--config <dir>', 'directory of the policy bundle and tollgate.yaml')
    .addOption(
      new Option(
        '--ledger <file>',
        'ledger file of a decision id, instead of the one that tollgate.yaml names',
      ).conflicts('key'),
    )
    .option('--key <id>', 'public id of an API key: what would happen to its call now')
    .option('--route <name>', 'route of that call')
    .option('--model <name>', 'model that it asks for')
    .option('--max-tokens <n>', 'output cap that it gives')
    .addOption(
      new Option(
        '--body <file>',
        'its whole JSON body, instead of --max-tokens and, where the path does not name it, --model',
      ).conflicts('maxTokens'),
    )
    .option('--class <name>', 'header `tollgate-class`')
    .option('--run <id>', 'header `tollgate-run`')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Shows each step, and each limit with used (spent and held), spent, asked, after, ceiling and where its ladder's step is,
and the reason.
Exit codes: 0 explained, 1 there is no such decision, key or ledger, 2 wrong usage.

Examples:
  $ tollgate explain xaaq2c7b-019ab4c2-7f00-7abc-8def-0123456789ab --config ./bundle
  $ tollgate explain --key k7f3q2 --route chat --model gpt-5 --max-tokens 500 --config ./bundle`,
    )
    .action(async (id: string | undefined, options: ExplainOptions) => {
      const explanation = id === undefined ? await explainNow(options) : await explainPast(id, options);
      process.stdout.write(options.json === true ? jsonText(explanation) : renderExplanation(explanation));
    });
}

async function explainPast(id: string, options: ExplainOptions): Promise<Explanation> {
  if (options.key !== undefined)
    throw new TollgateError('usage', 'either a decision id or `--key` is needed, not both');
  return readLedger(options, (reader) => {
    const booked = reader.decision(id);
    if (booked === undefined) {
      throw new TollgateError(
        'not_found',
        `decision \`${id}\` is not in this ledger; refusals of unknown callers are not booked`,
      );
    }
    return explanationOf(booked, (version) => reader.prices(version));
  });
}

async function explainNow(options: ExplainOptions): Promise<Explanation> {
  const { key: keyId, config } = options;
  if (keyId === undefined || config === undefined || options.route === undefined) {
    throw new TollgateError('usage', 'a decision id, or `--key`, `--route` and `--config` are needed');
  }
  const policy = await policyOf(config);
  const key = policy.keys.get(keyId);
  if (key === undefined) throw new TollgateError('not_found', `there is no key \`${keyId}\` in \`${config}\``);
  const call = await callOf(options, policy);
  const store = await readLedger({ config }, storeOf);
  const caller = judgeKey(key, policy.environment, systemClock.nowMs());
  const answer = await decideDry({ call, policy, caller, store, clock: systemClock });
  return explanationOfDry(answer, policy.prices);
}

/** The counters as the serving process last committed them. */
function storeOf(reader: LedgerReader): MemoryLimitStore {
  const store = new MemoryLimitStore(systemClock);
  store.restore({ counters: reader.countersUnderWay(RESERVATION), reservations: [] });
  return store;
}

async function callOf(options: ExplainOptions, policy: Policy): Promise<Call> {
  const route = policy.routes.get(options.route ?? '');
  if (route === undefined) {
    throw new TollgateError(
      'not_found',
      `there is no route \`${options.route}\`; routes are ${[...policy.routes.keys()].map((name) => `\`${name}\``).join(', ')}`,
    );
  }
  if (route.metered && options.model === undefined && options.body === undefined) {
    throw new TollgateError('usage', `route \`${route.name}\` needs \`--model\` or \`--body\``);
  }
  if (route.template === undefined && options.model !== undefined && options.body !== undefined) {
    throw new TollgateError(
      'usage',
      `route \`${route.name}\` has the model in the body: give \`--model\` or \`--body\``,
    );
  }
  const headers = new Map([['content-type', ['application/json']]]);
  if (options.class !== undefined) headers.set('tollgate-class', [options.class]);
  if (options.run !== undefined) headers.set('tollgate-run', [options.run]);
  return {
    method: route.method,
    path: pathFor(route, options),
    headers: { get: (name) => headers.get(name) ?? [] },
    body: options.body === undefined ? bodyOf(options, route.dialect) : await fileOf(options.body),
    partialBody: false,
    routeName: undefined,
    requestId: undefined,
    deadlineMs: Number.POSITIVE_INFINITY,
  };
}

async function fileOf(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new TollgateError('not_found', `body \`${path}\` cannot be read`, { cause });
  }
}

/** The path as a caller would ask by it; where it names the model, that is `--model`. */
function pathFor({ name, path, template }: Route, { model }: ExplainOptions): string {
  if (template === undefined) return path;
  if (model === undefined) {
    throw new TollgateError('usage', `route \`${name}\` names the model in its path and needs \`--model\``);
  }
  if (!fitsPath(model)) throw new TollgateError('usage', `\`--model\` cannot stand in a path; got \`${model}\``);
  return pathOf(template, model);
}

function bodyOf({ model, maxTokens }: ExplainOptions, dialect: string | undefined): Uint8Array {
  if (maxTokens !== undefined && !/^[0-9]{1,8}$/.test(maxTokens)) {
    throw new TollgateError('usage', `\`--max-tokens\` takes a whole number; got \`${maxTokens}\``);
  }
  const cap = maxTokens === undefined ? {} : capOf(Number(maxTokens), dialect);
  return Buffer.from(JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }], ...cap }));
}

/** The output cap in the words of the API. */
function capOf(tokens: number, dialect: string | undefined): object {
  switch (dialect) {
    case 'openai-responses':
      return { max_output_tokens: tokens };
    case 'gemini':
      return { generationConfig: { maxOutputTokens: tokens } };
    case 'bedrock-converse':
      return { inferenceConfig: { maxTokens: tokens } };
    default:
      return { max_tokens: tokens };
  }
}
