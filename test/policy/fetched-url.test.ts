import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadWith } from './bundles.ts';

const ACCESS = (jwks: string) => `owner: s@acme.example
environment: prod
issuers:
  corp: {issuer: https://id.acme.example, jwks: "${jwks}", audience: ai, algorithms: [ES256], type: at+jwt, age_max: 24h, account: "acme/{team}", kind: human, class: interactive}
rules: [{name: all, allow: {accounts: [acme/**]}}]
`;

const URLS: readonly [url: string, isTaken: boolean][] = [
  ['https://id.acme.example/jwks.json', true],
  ['https://10.0.0.7/jwks.json', true],
  ['http://127.0.0.1:9000/jwks.json', true],
  ['http://localhost/jwks.json', true],
  ['http://id.acme.example/jwks.json', false],
  ['http://10.0.0.7/jwks.json', false],
  ['http://127.0.0.1.evil.example/jwks.json', false],
  ['https://169.254.169.254/latest/meta-data', false],
  ['https://169.254.0.1/x', false],
  ['https://2852039166/x', false],
  ['https://0xa9fea9fe/x', false],
  ['https://0251.0376.0251.0376/x', false],
  ['https://169.254.43518/x', false],
  ['https://100.100.100.200/x', false],
  ['https://metadata/x', false],
  ['https://metadata.google.internal/x', false],
  ['https://METADATA.google.internal./x', false],
  ['https://instance-data/x', false],
  ['https://0.0.0.0/x', false],
  ['https://[fe80::1]/x', false],
  ['https://[fd00:ec2::254]/x', false],
  ['https://user:pass@id.acme.example/x', false],
  ['https://id.acme.example/x?then=https://169.254.169.254', false],
  ['ftp://id.acme.example/x', false],
  ['file:///etc/passwd', false],
];

for (const [url, isTaken] of URLS) {
  test(`A5: a key set and a collector at ${url} are ${isTaken ? 'taken' : 'refused'}`, async (t) => {
    const { problems } = await loadWith(t, {
      'access.yaml': ACCESS(url),
      'tollgate.yaml': `telemetry: {otlp: "${url}"}\n`,
    });
    const wrong = problems.map(({ path, rule }) => `${path} ${rule}`);
    assert.deepEqual(wrong, isTaken ? [] : ['issuers.corp.jwks value-wrong', 'telemetry.otlp value-wrong']);
  });
}
