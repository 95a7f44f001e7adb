import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { anthropicMessages } from '../../src/dialects/anthropic-messages.ts';
import type { BodyFacts, Edit } from '../../src/dialects/dialect.ts';
import { modelEdit, sortEdits } from '../../src/dialects/edits.ts';
import { openaiChat } from '../../src/dialects/openai-chat.ts';
import { applyEdits } from '../support/apply-edits.ts';
import { accepted, bytes, CAREFUL_BODY } from './bodies.ts';

const OPTIONS = '"stream_options":{"include_usage":true}';

/** Body, and the same with usage asked for; undefined: it needs no edit. */
const USAGE: readonly (readonly [number, string, string | undefined])[] = [
  [1, '{"model":"m","stream":true}', `{"model":"m","stream":true,${OPTIONS}}`],
  [2, '{"stream":true,"model":"m"}', `{"stream":true,${OPTIONS},"model":"m"}`],
  [3, '{"stream" : true , "model":"m"}', `{"stream" : true,${OPTIONS} , "model":"m"}`],
  [4, '{"model":"m","stream":true,"stream_options":null}', `{"model":"m","stream":true,${OPTIONS}}`],
  [5, '{"model":"m","stream":true,"stream_options":{}}', `{"model":"m","stream":true,${OPTIONS}}`],
  [
    6,
    '{"model":"m","stream":true,"stream_options":{ \n}}',
    '{"model":"m","stream":true,"stream_options":{"include_usage":true \n}}',
  ],
  [
    7,
    '{"stream_options":{"include_obfuscation":false},"model":"m","stream":true}',
    '{"stream_options":{"include_usage":true,"include_obfuscation":false},"model":"m","stream":true}',
  ],
  [8, '{"model":"m","stream":true,"stream_options":{"include_usage":false}}', `{"model":"m","stream":true,${OPTIONS}}`],
  [9, '{"model":"m","stream":true,"stream_options":{"include_usage":null}}', `{"model":"m","stream":true,${OPTIONS}}`],
  [
    10,
    '{"stream_options": { "x":1 , "include\\u005fusage" : false },"stream":true,"model":"m"}',
    '{"stream_options": { "x":1 , "include\\u005fusage" : true },"stream":true,"model":"m"}',
  ],
  [11, '{"model":"m","stream":true,"stream_options":{"include_usage":true}}', undefined],
  [12, '{"model":"m","stream":false}', undefined],
  [13, '{"model":"m","stream":false,"stream_options":{"include_usage":false}}', undefined],
  [14, '{"model":"m"}', undefined],
];

function edited(text: string, { model, usage }: { model?: string; usage: boolean }): string {
  const facts = accepted(openaiChat, bytes(text));
  const edits: Edit[] = [];
  if (usage && facts.usageEdit !== undefined) edits.push(facts.usageEdit);
  if (model !== undefined) edits.push(modelEdit(facts.modelSpan!, model));
  return applyEdits(bytes(text), sortEdits(edits)).toString('utf8');
}

describe('edits', () => {
  for (const [row, before, after] of USAGE) {
    it(`asks for usage, row ${row}`, () => {
      const facts = accepted(openaiChat, bytes(before));
      assert.equal(facts.usageEdit === undefined, after === undefined);
      assert.equal(edited(before, { usage: true }), after ?? before);
      if (after === undefined) return;
      const again = accepted(openaiChat, bytes(after));
      assert.equal(again.reportsUsage, true);
      assert.equal(again.usageEdit, undefined);
      assert.match(facts.usageEdit?.text ?? '', /^[ -:<-~]*$/, 'ASCII without a semicolon');
    });

    it(`asks for usage and another model, row ${row}`, () => {
      const expected = (after ?? before).replace('"model":"m"', '"model":"gpt-5-mini"');
      assert.equal(edited(before, { model: 'gpt-5-mini', usage: true }), expected);
    });
  }

  it('leaves all bytes but the edited as they were', () => {
    const expected = CAREFUL_BODY.replace('"gpt-5"', '"gpt-5-mini"').replace(
      '"stream":true',
      `"stream":true,${OPTIONS}`,
    );
    assert.equal(edited(CAREFUL_BODY, { model: 'gpt-5-mini', usage: true }), expected);
    assert.ok(expected.includes('1234567890123456789'));
  });

  it('replaces a model that was written with escapes', () => {
    assert.equal(
      edited('{"m\\u006fdel":"gpt\\u002d5","n":1}', { model: 'b', usage: false }),
      '{"m\\u006fdel":"b","n":1}',
    );
  });

  it('edits an Anthropic body', () => {
    const body = bytes('{"max_tokens":5,"system":"Grüße","model":"claude-opus-5","stream":true}');
    const facts = accepted(anthropicMessages, body);
    assert.equal(
      applyEdits(body, [modelEdit(facts.modelSpan!, 'claude-haiku-4-5')]).toString('utf8'),
      '{"max_tokens":5,"system":"Grüße","model":"claude-haiku-4-5","stream":true}',
    );
  });

  it('throws where our own edit would be wrong', () => {
    const facts: BodyFacts = accepted(openaiChat, bytes('{"model":"m"}'));
    for (const model of ['', 'a;b', 'a"b', 'a b', 'é', '../a', 'm'.repeat(129)]) {
      assert.throws(() => modelEdit(facts.modelSpan!, model), TypeError);
    }
  });

  it('sorts edits that touch', () => {
    const touching = sortEdits([
      { offset: 2, length: 0, text: 'Y' },
      { offset: 1, length: 1, text: 'X' },
    ]);
    assert.equal(applyEdits(bytes('abc'), touching).toString(), 'aXYc');
  });
});
