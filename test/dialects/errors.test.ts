import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI, { AzureOpenAI } from 'openai';
import { kindOf, REASONS, type Reason } from '../../src/core/reasons.ts';
import { anthropicMessages } from '../../src/dialects/anthropic-messages.ts';
import { azureOpenai } from '../../src/dialects/azure-openai.ts';
import { bedrockConverse } from '../../src/dialects/bedrock-converse.ts';
import type { Dialect, ErrorAnswer, Problem } from '../../src/dialects/dialect.ts';
import { dialect, problemJson } from '../../src/dialects/dialects.ts';
import { gemini } from '../../src/dialects/gemini.ts';
import { openaiChat } from '../../src/dialects/openai-chat.ts';
import { openaiCompletions } from '../../src/dialects/openai-completions.ts';
import { openaiEmbeddings } from '../../src/dialects/openai-embeddings.ts';
import { openaiResponses } from '../../src/dialects/openai-responses.ts';

const DECISION = 'abcdefgh-019a0000-0000-7000-8000-000000000000';

function problem(reason: Reason, more: Partial<Problem> = {}): Problem {
  return { reason, message: `words about \`${reason}\` für alle`, decisionId: DECISION, ...more };
}

type ErrorClass = abstract new (...parameters: never[]) => Error;

/** One reason of each kind: what each SDK makes of it. */
interface Row {
  readonly reason: Reason;
  readonly limitUnit?: string;
  readonly openai: readonly [ErrorClass, number, string, string, string | null];
  readonly anthropic: readonly [ErrorClass, number, string];
}

const ROWS: readonly Row[] = [
  {
    reason: 'credential_unknown',
    openai: [OpenAI.AuthenticationError, 401, 'invalid_request_error', 'invalid_api_key', null],
    anthropic: [Anthropic.AuthenticationError, 401, 'authentication_error'],
  },
  {
    reason: 'body_duplicate_key',
    openai: [OpenAI.BadRequestError, 400, 'invalid_request_error', 'body_duplicate_key', null],
    anthropic: [Anthropic.BadRequestError, 400, 'invalid_request_error'],
  },
  {
    reason: 'model_invalid',
    openai: [OpenAI.BadRequestError, 400, 'invalid_request_error', 'model_invalid', 'model'],
    anthropic: [Anthropic.BadRequestError, 400, 'invalid_request_error'],
  },
  {
    reason: 'body_too_large',
    openai: [OpenAI.APIError, 413, 'invalid_request_error', 'body_too_large', null],
    anthropic: [Anthropic.ContentTooLargeError, 413, 'request_too_large'],
  },
  {
    reason: 'content_type_unsupported',
    openai: [OpenAI.APIError, 415, 'invalid_request_error', 'content_type_unsupported', null],
    anthropic: [Anthropic.APIError, 415, 'invalid_request_error'],
  },
  {
    reason: 'route_unknown',
    openai: [OpenAI.NotFoundError, 404, 'invalid_request_error', 'route_unknown', null],
    anthropic: [Anthropic.NotFoundError, 404, 'not_found_error'],
  },
  {
    reason: 'model_hidden',
    openai: [OpenAI.NotFoundError, 404, 'invalid_request_error', 'model_not_found', 'model'],
    anthropic: [Anthropic.NotFoundError, 404, 'not_found_error'],
  },
  {
    reason: 'route_not_entitled',
    openai: [OpenAI.PermissionDeniedError, 403, 'invalid_request_error', 'route_not_entitled', null],
    anthropic: [Anthropic.PermissionDeniedError, 403, 'permission_error'],
  },
  {
    reason: 'model_not_entitled',
    openai: [OpenAI.PermissionDeniedError, 403, 'invalid_request_error', 'model_not_entitled', 'model'],
    anthropic: [Anthropic.PermissionDeniedError, 403, 'permission_error'],
  },
  {
    reason: 'rate_limited',
    limitUnit: 'requests',
    openai: [OpenAI.RateLimitError, 429, 'requests', 'rate_limit_exceeded', null],
    anthropic: [Anthropic.RateLimitError, 429, 'rate_limit_error'],
  },
  {
    reason: 'rate_limited',
    limitUnit: 'output_tokens',
    openai: [OpenAI.RateLimitError, 429, 'tokens', 'rate_limit_exceeded', null],
    anthropic: [Anthropic.RateLimitError, 429, 'rate_limit_error'],
  },
  {
    reason: 'concurrency_limited',
    openai: [OpenAI.RateLimitError, 429, 'requests', 'rate_limit_exceeded', null],
    anthropic: [Anthropic.RateLimitError, 429, 'rate_limit_error'],
  },
  {
    reason: 'budget_spent',
    limitUnit: 'charge',
    openai: [OpenAI.RateLimitError, 429, 'insufficient_quota', 'insufficient_quota', null],
    anthropic: [Anthropic.PaymentRequiredError, 402, 'billing_error'],
  },
  {
    reason: 'limits_unavailable',
    openai: [OpenAI.InternalServerError, 503, 'server_error', 'limits_unavailable', null],
    anthropic: [Anthropic.ServiceUnavailableError, 503, 'api_error'],
  },
];

describe('refusals through the official SDKs', () => {
  let server: Server;
  let baseURL = '';
  let answer: ErrorAnswer | undefined;

  before(async () => {
    server = createServer((request, response) => {
      request.resume();
      assert.ok(answer !== undefined);
      response.writeHead(answer.status, { 'content-type': answer.contentType, 'request-id': DECISION });
      response.end(answer.body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(() => {
    server.closeAllConnections();
    server.close();
  });

  for (const { reason, limitUnit, openai, anthropic } of ROWS) {
    const asked = problem(reason, limitUnit === undefined ? {} : { limitUnit });

    it(`openai reads ${reason}${limitUnit === undefined ? '' : ` of ${limitUnit}`}`, async () => {
      answer = openaiChat.error(asked);
      const client = new OpenAI({ apiKey: 'x', baseURL: `${baseURL}/v1`, maxRetries: 0 });
      const [errorClass, status, type, code, param] = openai;
      const call = client.chat.completions.create({ model: 'm', messages: [] });
      await assert.rejects(call, (error: unknown) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.equal(error.constructor, errorClass);
        assert.deepEqual([error.status, error.type, error.code, error.param], [status, type, code, param]);
        assert.equal(error.message, `${status} ${asked.message}`);
        return true;
      });
    });

    it(`openai's other APIs read ${reason}${limitUnit === undefined ? '' : ` of ${limitUnit}`}`, async () => {
      const client = new OpenAI({ apiKey: 'x', baseURL: `${baseURL}/v1`, maxRetries: 0 });
      const azure = new AzureOpenAI({ apiKey: 'x', endpoint: baseURL, apiVersion: '2024-10-21', maxRetries: 0 });
      const calls: readonly (readonly [Dialect, () => Promise<unknown>])[] = [
        [openaiCompletions, () => client.completions.create({ model: 'm', prompt: 'p' })],
        [openaiEmbeddings, () => client.embeddings.create({ model: 'm', input: 'p' })],
        [openaiResponses, () => client.responses.create({ model: 'm', input: 'p', stream: true })],
        [azureOpenai, () => azure.chat.completions.create({ model: 'm', messages: [] })],
      ];
      const [errorClass, status, type, code, param] = openai;
      for (const [spoken, call] of calls) {
        answer = spoken.error(asked);
        await assert.rejects(call, (error: unknown) => {
          assert.ok(error instanceof OpenAI.APIError);
          assert.equal(error.constructor, errorClass);
          assert.deepEqual([error.status, error.type, error.code, error.param], [status, type, code, param]);
          return true;
        });
      }
    });

    it(`anthropic reads ${reason}${limitUnit === undefined ? '' : ` of ${limitUnit}`}`, async () => {
      answer = anthropicMessages.error(asked);
      const client = new Anthropic({ apiKey: 'x', baseURL, maxRetries: 0 });
      const [errorClass, status, type] = anthropic;
      const call = client.messages.create({ model: 'm', max_tokens: 1, messages: [] });
      await assert.rejects(call, (error: unknown) => {
        assert.ok(error instanceof Anthropic.APIError);
        assert.equal(error.constructor, errorClass);
        assert.deepEqual([error.status, error.type, error.errorCode], [status, type, openai[3]]);
        assert.equal(error.apiMessage, asked.message);
        return true;
      });
    });
  }
});

describe('refusals, word for word', () => {
  it('openai', () => {
    assert.deepEqual(openaiChat.error(problem('rate_limited', { limit: 'key-burst', limitUnit: 'requests' })), {
      status: 429,
      contentType: 'application/json',
      body: '{"error":{"message":"words about `rate_limited` für alle","type":"requests","param":null,"code":"rate_limit_exceeded"}}',
    });
  });

  it('anthropic', () => {
    assert.deepEqual(anthropicMessages.error(problem('budget_spent', { limit: 'team-spend', limitUnit: 'charge' })), {
      status: 402,
      contentType: 'application/json',
      body: `{"type":"error","error":{"type":"billing_error","message":"words about \`budget_spent\` für alle","details":{"error_code":"insufficient_quota","limit":"team-spend"}},"request_id":"${DECISION}"}`,
    });
  });

  it('gemini, a google.rpc.Status', () => {
    assert.deepEqual(gemini.error(problem('rate_limited', { limit: 'key-burst', limitUnit: 'requests' })), {
      status: 429,
      contentType: 'application/json',
      body: `{"error":{"code":429,"message":"words about \`rate_limited\` für alle","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"tollgate","metadata":{"decision":"${DECISION}","limit":"key-burst"}}]}}`,
    });
  });

  it('bedrock, where a spent budget is no 429, which its SDKs would try again', () => {
    assert.deepEqual(bedrockConverse.error(problem('budget_spent', { limit: 'team-spend', limitUnit: 'charge' })), {
      status: 400,
      contentType: 'application/json',
      body: '{"__type":"ServiceQuotaExceededException","message":"words about `budget_spent` für alle"}',
    });
  });

  /** One reason of each kind: status and type as Google and AWS name them. */
  const BY_PATH: readonly (readonly [Reason, readonly [number, string], readonly [number, string]])[] = [
    ['credential_unknown', [401, 'UNAUTHENTICATED'], [401, 'UnrecognizedClientException']],
    ['model_conflict', [400, 'INVALID_ARGUMENT'], [400, 'ValidationException']],
    ['body_too_large', [413, 'INVALID_ARGUMENT'], [413, 'ValidationException']],
    ['content_type_unsupported', [415, 'INVALID_ARGUMENT'], [415, 'ValidationException']],
    ['route_unknown', [404, 'NOT_FOUND'], [404, 'ResourceNotFoundException']],
    ['model_hidden', [404, 'NOT_FOUND'], [404, 'ResourceNotFoundException']],
    ['access_denied', [403, 'PERMISSION_DENIED'], [403, 'AccessDeniedException']],
    ['model_denied', [403, 'PERMISSION_DENIED'], [403, 'AccessDeniedException']],
    ['rate_limited', [429, 'RESOURCE_EXHAUSTED'], [429, 'ThrottlingException']],
    ['budget_spent', [429, 'RESOURCE_EXHAUSTED'], [400, 'ServiceQuotaExceededException']],
    ['limits_unavailable', [503, 'UNAVAILABLE'], [503, 'ServiceUnavailableException']],
  ];
  for (const [reason, google, aws] of BY_PATH) {
    it(`gemini and bedrock say ${reason} in their own words`, () => {
      const ofGoogle = gemini.error(problem(reason));
      const ofAws = bedrockConverse.error(problem(reason));
      const { error } = JSON.parse(ofGoogle.body) as { error: { code: number; status: string } };
      assert.deepEqual([ofGoogle.status, error.code, error.status], [google[0], google[0], google[1]]);
      assert.deepEqual([ofAws.status, (JSON.parse(ofAws.body) as { __type: string }).__type], aws);
    });
  }

  it('problem details where a route has no dialect', () => {
    assert.deepEqual(problemJson(problem('budget_spent', { limit: 'calls' })), {
      status: 402,
      contentType: 'application/problem+json',
      body: `{"type":"about:blank","title":"Budget spent","status":402,"detail":"words about \`budget_spent\` für alle","code":"insufficient_quota","decision":"${DECISION}","limit":"calls"}`,
    });
  });

  const reasons = Object.keys(REASONS) as Reason[];
  const answers = (reason: Reason) =>
    [openaiChat, anthropicMessages, gemini, bedrockConverse]
      .map(({ error }) => error)
      .concat(problemJson)
      .map((error) => error(problem(reason, { message: 'same words' })));

  it('every reason has a refusal, never a success', () => {
    for (const reason of reasons) {
      for (const { status, body } of answers(reason)) {
        assert.ok(status >= 400 && status <= 503, `${reason}: ${status}`);
        assert.ok(body.includes('same words'));
      }
    }
  });

  for (const kind of ['credential', 'model_not_found'] as const) {
    it(`K9 all refusals of the kind ${kind} look alike`, () => {
      const alike = reasons.filter((reason) => kindOf(reason) === kind);
      assert.ok(alike.length > 1);
      for (const reason of alike) assert.deepEqual(answers(reason), answers(alike[0]!));
    });
  }
});

describe('table of dialects', () => {
  const ROWS_BY_NAME: readonly (readonly [string | undefined, Dialect | undefined])[] = [
    ['openai-chat', openaiChat],
    ['anthropic-messages', anthropicMessages],
    ['openai-completions', openaiCompletions],
    ['openai-embeddings', openaiEmbeddings],
    ['openai-responses', openaiResponses],
    ['azure-openai', azureOpenai],
    ['bedrock-converse', bedrockConverse],
    ['gemini', gemini],
    ['vertex', undefined],
    ['', undefined],
    ['__proto__', undefined],
    ['constructor', undefined],
    [undefined, undefined],
  ];
  for (const [name, found] of ROWS_BY_NAME) it(`${name}`, () => assert.equal(dialect(name), found));
});
