/** The keys that the stub accepts unless told otherwise; what Envoy shows to it, as in envoy/secrets. No secrets. */
export const STUB_KEYS = {
  openai: 'stub-openai-key',
  anthropic: 'stub-anthropic-key',
  gemini: 'stub-gemini-key',
  bedrock: 'stub-bedrock-key',
  azure: 'stub-azure-key',
} as const;
