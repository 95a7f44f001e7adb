/**
 * What Envoy's response filters write into the namespace `tollgate.usage`, and under which key: the contract between the
 * Envoy configuration and the `usage` of the dialects. A test holds the configuration to it.
 */

/** Namespace of response facts; never the one of client facts. */
export const USAGE_NAMESPACE = 'tollgate.usage';

/** One rule of a filter: the member at `selectors` goes under `key`. */
interface UsageRule {
  readonly selectors: readonly string[];
  readonly key: string;
}

export type UsageKey = (typeof JSON_RULES)[number]['key'] | (typeof SSE_RULES)[number]['key'];

/** json_to_metadata, `response_rules`: it selects leaves only, an object counts as missing. */
export const JSON_RULES = [
  { selectors: ['model'], key: 'model' },
  { selectors: ['usage', 'prompt_tokens'], key: 'prompt_tokens' },
  { selectors: ['usage', 'completion_tokens'], key: 'completion_tokens' },
  { selectors: ['usage', 'prompt_tokens_details', 'cached_tokens'], key: 'cached_tokens' },
  { selectors: ['usage', 'prompt_tokens_details', 'cache_write_tokens'], key: 'cache_write_tokens' },
  { selectors: ['usage', 'completion_tokens_details', 'reasoning_tokens'], key: 'reasoning_tokens' },
  { selectors: ['usage', 'input_tokens'], key: 'input_tokens' },
  { selectors: ['usage', 'output_tokens'], key: 'output_tokens' },
  { selectors: ['usage', 'input_tokens_details', 'cached_tokens'], key: 'cached_tokens' },
  { selectors: ['usage', 'input_tokens_details', 'cache_write_tokens'], key: 'cache_write_tokens' },
  { selectors: ['usage', 'output_tokens_details', 'reasoning_tokens'], key: 'reasoning_tokens' },
  { selectors: ['usage', 'cache_read_input_tokens'], key: 'cache_read_input_tokens' },
  { selectors: ['usage', 'cache_creation_input_tokens'], key: 'cache_creation_input_tokens' },
  { selectors: ['usage', 'cache_creation', 'ephemeral_5m_input_tokens'], key: 'cache_5m_tokens' },
  { selectors: ['usage', 'cache_creation', 'ephemeral_1h_input_tokens'], key: 'cache_1h_tokens' },
  { selectors: ['modelVersion'], key: 'model' },
  { selectors: ['usageMetadata', 'promptTokenCount'], key: 'prompt_token_count' },
  { selectors: ['usageMetadata', 'toolUsePromptTokenCount'], key: 'tool_use_prompt_token_count' },
  { selectors: ['usageMetadata', 'cachedContentTokenCount'], key: 'cached_content_token_count' },
  { selectors: ['usageMetadata', 'candidatesTokenCount'], key: 'candidates_token_count' },
  { selectors: ['usageMetadata', 'thoughtsTokenCount'], key: 'thoughts_token_count' },
  { selectors: ['usageMetadata', 'totalTokenCount'], key: 'total_token_count' },
  { selectors: ['usage', 'inputTokens'], key: 'input_tokens' },
  { selectors: ['usage', 'outputTokens'], key: 'output_tokens' },
  { selectors: ['usage', 'cacheReadInputTokens'], key: 'cache_read_input_tokens' },
  { selectors: ['usage', 'cacheWriteInputTokens'], key: 'cache_creation_input_tokens' },
] as const satisfies readonly UsageRule[];

/** sse_to_metadata, `response_rules`: a whole object arrives as one JSON string; the last event that has it wins. */
export const SSE_RULES = [
  { selectors: ['model'], key: 'model' },
  { selectors: ['message', 'model'], key: 'model' },
  { selectors: ['usage'], key: 'sse_usage' },
  { selectors: ['message', 'usage'], key: 'sse_message_usage' },
  { selectors: ['response', 'model'], key: 'model' },
  { selectors: ['response', 'usage'], key: 'sse_response_usage' },
  { selectors: ['modelVersion'], key: 'model' },
  { selectors: ['usageMetadata'], key: 'sse_usage_metadata' },
] as const satisfies readonly UsageRule[];
