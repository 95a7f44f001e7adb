/** The strict scan of chat bodies with byte offsets, as a Check does it. */
import { isFault } from '../src/dialects/dialect.ts';
import { dialect } from '../src/dialects/dialects.ts';
import { type Bar, type BenchOptions, type Figure, measure } from './report.ts';

interface Message {
  readonly role: string;
  readonly content: string;
}

const TEXT =
  'The quick brown fox jumps over the lazy dog; l’été, größer, 東京. It said: "no", then \\ and left.\nNext line: ';

/** A chat body of about `bytes` bytes: several turns of prose with escapes and non-ASCII text, and the members a client sends. */
export function chatBody(bytes: number): Uint8Array {
  const turn = (index: number): Message => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: `${index}: ${TEXT.repeat(8)}`,
  });
  const messages: Message[] = [{ role: 'system', content: 'You are a helpful assistant.' }, turn(0)];
  const body = { model: 'gpt-5', messages, temperature: 0.7, max_completion_tokens: 512, n: 1, stream: true };
  const encode = (): Uint8Array => Buffer.from(JSON.stringify(body));
  for (let length = encode().length; length < bytes; length = encode().length) {
    const left = bytes - length;
    messages.push(left > 1200 ? turn(messages.length) : { role: 'user', content: 'x'.repeat(Math.max(1, left - 30)) });
  }
  return encode();
}

/** Scans of 4 KiB and 64 KiB. */
export async function benchScan({ quick }: BenchOptions): Promise<readonly Figure[]> {
  const openai = dialect('openai-chat');
  if (openai === undefined) throw new Error('dialect `openai-chat` is not built');
  const scan = async (kib: number, options: { batch: number; bar: Bar }): Promise<Figure> => {
    const body = chatBody(kib * 1024);
    const read = openai.read(body);
    if (isFault(read)) throw new Error(`the body was refused: ${read.message}`);
    return measure(`strict scan of a chat body, ${kib} KiB`, () => openai.read(body), {
      ...options,
      timeMs: quick ? 200 : 1500,
    });
  };
  return [await scan(4, { batch: 32, bar: { most: 15 } }), await scan(64, { batch: 4, bar: { most: 150 } })];
}
