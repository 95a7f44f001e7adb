/** Bodies that are almost right: seeds of all APIs, damaged where parsers differ. */
import type { Dice } from './dice.ts';

const SEEDS: readonly Buffer[] = [
  '{"model":"gpt-5","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hi"}]}',
  '{"stream_options":{"include_usage":false},"stream":true,"n":2,"model":"a/b","max_completion_tokens":7,"max_tokens":8}',
  '{"max_tokens":1024,"model":"claude-opus-5","stream":false,"tools":[{"name":"t"}],"system":"\\u00fc"}',
  '{"m\\u006fdel":"m\\u002d1","stream":null,"max_tokens":null,"best_of":3,"x":[1.5e-3,-0,true]}',
  '{ "seed": 1234567890123456789,\t"model" : "gpt-5" ,\r\n"max_tokens":5,"user":"\\ud83c\\udf0d 世界"} ',
  '{"model":"m","input":[{"role":"user","content":"hi"}],"stream":true,"max_output_tokens":9,"background":false}',
  '{"prompt":["a","b,c",[1,2]],"model":"m","n":2,"best_of":3,"max_tokens":5,"stream":true}',
  '{"input":[[1,2],[3]],"model":"m"}',
  '{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":9,"candidateCount":2}}',
  '{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":9,"temperature":0.5}}',
].map((text) => Buffer.from(text));

/** What matters to parsers, to be put anywhere. */
const PIECES: readonly Buffer[] = [
  ...[
    '"model":"x",',
    ',"model":"m"',
    ',"Model":"x"',
    '"m\\u006fdel":"x",',
    '"mode\\u017f":"x",',
    '"model\\u0000":"x",',
  ],
  ...['"stream":true,', ',"stream":false', '"ſtream":true,', '"stream":"true",', '"stream":1,'],
  ...['"max_tokens":5,', ',"max_tokens":50', '"MAX_TOKENS":5,', '"max_toKens":5,', '"max_output_tokens":5,'],
  ...['"maxTokens":5,', '"maxOutputTokens":5,', '"generationConfig":{},', '"inferenceConfig":null,', '"models":[],'],
  ...['"__proto__":{"model":"x"},', '"constructor":1,', '"":0,', '"additionalModelRequestFields":{},'],
  ...['\\', '"', '{', '}', '[', ']', ',', ':', ',,', '}}', '{}', '[]', '""', '/', "'", '/**/', '//', '#', ';'],
  ...['null', 'true', 'True', 'None', 'NaN', 'Infinity', '-Infinity', 'undefined', 'nul'],
  ...['1e400', '1e3', '1.0', '-0', '-', '+1', '01', '0x1', '.5', '5.', '1_0', '9007199254740993', '1e', '1E+2'],
  ...[' ', '\t', '\n', '\r', '\f', '\v', '\0', '\x01', '\x7f', '\u00a0', '\u2028', '\ufeff', '\u200b', '🌍'],
  ...['\\u', '\\u00', '\\ud800', '\\udc00', '\\ud83c\\udf0d', '\\x41', '\\/', '\\b', '\\a', '\\U0041', '\\\n'],
]
  .map((text) => Buffer.from(text))
  .concat(
    ['80', 'c0af', 'eda080', 'f4908080', 'ff', 'fffe', 'efbbbf', 'e282', 'f0288cbc'].map((hex) =>
      Buffer.from(hex, 'hex'),
    ),
  );

/** A seed with none to three damages: a piece put in, a value replaced, bytes lost, a stretch doubled, a bit turned. */
export function mutatedBody(dice: Dice): Buffer {
  let body = dice.of(SEEDS);
  for (let left = dice.below(4); left > 0; left--) body = damaged(body, dice);
  return body;
}

function damaged(body: Buffer, dice: Dice): Buffer {
  const at = dice.below(body.length + 1);
  const until = Math.min(body.length, at + dice.below(12));
  const [before, here, after] = [body.subarray(0, at), body.subarray(at, until), body.subarray(until)];
  switch (dice.below(8)) {
    case 0:
    case 1:
      return Buffer.concat([before, dice.of(PIECES), here, after]);
    case 2:
      return Buffer.concat([before, dice.of(PIECES), after]);
    case 3:
      return Buffer.concat([before, after]);
    case 4:
      return Buffer.concat([before, here, here, after]);
    case 5:
    case 6:
      return revalued(body, dice);
    default:
      return turned(body, { at: Math.min(at, body.length - 1), bit: dice.below(8) });
  }
}

/** Bit 5 of a letter is its case. */
function turned(body: Buffer, { at, bit }: { readonly at: number; readonly bit: number }): Buffer {
  if (body.length === 0) return body;
  const copy = Buffer.from(body);
  copy[at] = copy[at]! ^ (1 << bit);
  return copy;
}

/** The text between a colon and the next comma or brace is another. */
function revalued(body: Buffer, dice: Dice): Buffer {
  const text = body.toString('latin1');
  const spans = [...text.matchAll(/(?<=:)[^,:{}[\]]+/g)];
  if (spans.length === 0) return body;
  const { index, 0: value } = dice.of(spans);
  return Buffer.concat([body.subarray(0, index), dice.of(PIECES), body.subarray(index + value.length)]);
}
