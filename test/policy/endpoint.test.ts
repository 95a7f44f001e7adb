import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Endpoint, endpointText, isLocal, parseEndpoint } from '../../src/policy/endpoint.ts';

const tcp = (host: string, port: number): Endpoint => ({ kind: 'tcp', host, port });
const unix = (path: string): Endpoint => ({ kind: 'unix', path });

const GOOD: readonly (readonly [text: string, endpoint: Endpoint, local: boolean])[] = [
  ['127.0.0.1:9001', tcp('127.0.0.1', 9001), true],
  ['127.8.8.8:0', tcp('127.8.8.8', 0), true],
  ['[::1]:9001', tcp('::1', 9001), true],
  ['localhost:65535', tcp('localhost', 65_535), true],
  ['unix:/run/tollgate/authz.sock', unix('/run/tollgate/authz.sock'), true],
  ['unix:run/authz.sock', unix('run/authz.sock'), true],
  [`unix:/${'x'.repeat(102)}`, unix(`/${'x'.repeat(102)}`), true],
  ['0.0.0.0:9001', tcp('0.0.0.0', 9001), false],
  ['[::]:9001', tcp('::', 9001), false],
  ['[::2]:9001', tcp('::2', 9001), false],
  ['10.0.0.7:9001', tcp('10.0.0.7', 9001), false],
  ['128.0.0.1:9001', tcp('128.0.0.1', 9001), false],
  ['127.1:9001', tcp('127.1', 9001), false],
  ['tollgate.internal:9001', tcp('tollgate.internal', 9001), false],
  ['127.0.0.1.example.com:1', tcp('127.0.0.1.example.com', 1), false],
  ['localhost.example:1', tcp('localhost.example', 1), false],
];
for (const [i, [text, endpoint, local]] of GOOD.entries()) {
  test(`1.${i + 1} ${text.slice(0, 30)} is ${local ? 'ours alone' : 'for others to reach'}`, () => {
    assert.deepEqual(parseEndpoint(text), endpoint);
    assert.equal(endpointText(endpoint), text);
    assert.equal(isLocal(endpoint), local);
  });
}

const BAD = [
  '',
  '9001',
  ':9001',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:65536',
  '127.0.0.1:-1',
  '127.0.0.1:01',
  '127.0.0.1:9001 ',
  '127.0.0.1:9001\n',
  'http://127.0.0.1:9001',
  'under_score:9001',
  '::1:9001',
  '[::1',
  '[::1]',
  '[::g]:9001',
  '[127.0.0.1]:9001',
  'unix:',
  'unix:@abstract',
  `unix:/${'x'.repeat(103)}`,
  `unix:/${'ü'.repeat(52)}`,
];
for (const [i, text] of BAD.entries()) {
  test(`2.${i + 1} ${JSON.stringify(text.slice(0, 30))} is none`, () => assert.equal(parseEndpoint(text), undefined));
}
