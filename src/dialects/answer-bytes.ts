/** Bytes of an answer per token, so that what nobody reported is estimated rather too high. */
const ANSWER_BYTES_PER_TOKEN = 3.3;
/** OpenAI's streams wrap each token in a chunk of its own. */
const CHUNK_BYTES_PER_TOKEN = 200;

/** Tokens that `bytes` of an answer of OpenAI's APIs may be, rounded up. */
export function openaiOutputTokens(bytes: number, { stream }: { readonly stream: boolean }): number {
  return Math.ceil(bytes / (stream ? CHUNK_BYTES_PER_TOKEN : ANSWER_BYTES_PER_TOKEN));
}
