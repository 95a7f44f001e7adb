/** An OpenTelemetry collector for tests: takes OTLP over HTTP and remembers it, or behaves badly. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../support/scope.ts';
import { bigOf, doubleOf, hexOf, type Message, messages, parse, textOf } from './wire.ts';

export interface SeenSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Record<string, unknown>;
  readonly events: readonly string[];
}

export interface SeenRecord {
  readonly name: string;
  readonly severity: string;
  readonly traceId: string;
  readonly attributes: Record<string, unknown>;
}

/** `silent`: takes the connection and says nothing. `slow`: answers after 400 ms. A number: that status. */
export type Behaviour = 'ok' | 'silent' | 'slow' | number;

export interface TestCollector {
  readonly url: string;
  behaviour: Behaviour;
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers'] }[];
  readonly spans: SeenSpan[];
  readonly records: SeenRecord[];
  /** Names of metrics and what the last export said of them: values by their attributes. */
  readonly metrics: Map<string, Map<string, number>>;
  readonly resource: Record<string, unknown>;
}

export async function startCollector(scope: Scope, behaviour: Behaviour = 'ok'): Promise<TestCollector> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const seen: TestCollector = {
    url: `http://127.0.0.1:${port}`,
    behaviour,
    requests: [],
    spans: [],
    records: [],
    metrics: new Map(),
    resource: {},
  };
  server.on('request', (request, response) => void serve(seen, request, response));
  scope.after(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return seen;
}

async function serve(seen: TestCollector, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const path = request.url ?? '';
  seen.requests.push({ path, headers: request.headers });
  const { behaviour } = seen;
  if (behaviour === 'silent') return;
  if (behaviour === 'slow') await sleep(400);
  if (typeof behaviour === 'number') {
    response.writeHead(behaviour, { location: `${seen.url}/elsewhere` }).end();
    return;
  }
  const message = parse(Buffer.concat(parts));
  if (path === '/v1/traces') takeSpans(seen, message);
  else if (path === '/v1/logs') takeRecords(seen, message);
  else if (path === '/v1/metrics') takeMetrics(seen, message);
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
}

function takeSpans(seen: TestCollector, message: Message): void {
  for (const ofResource of messages(message, 1)) {
    for (const resource of messages(ofResource, 1)) Object.assign(seen.resource, attributesOf(resource, 1));
    for (const span of messages(ofResource, 2).flatMap((ofScope) => messages(ofScope, 2))) {
      seen.spans.push({
        traceId: hexOf(span, 1),
        spanId: hexOf(span, 2),
        parentId: hexOf(span, 4),
        name: textOf(span, 5),
        kind: Number(bigOf(span, 6)),
        startMs: Number(bigOf(span, 7)) / 1e6,
        endMs: Number(bigOf(span, 8)) / 1e6,
        attributes: attributesOf(span, 9),
        events: messages(span, 11).map((event) => textOf(event, 2)),
      });
    }
  }
}

function takeRecords(seen: TestCollector, message: Message): void {
  for (const record of messages(message, 1).flatMap((of) => messages(of, 2).flatMap((scope) => messages(scope, 2)))) {
    seen.records.push({
      severity: textOf(record, 3),
      attributes: attributesOf(record, 6),
      traceId: hexOf(record, 9),
      name: textOf(record, 12),
    });
  }
}

function takeMetrics(seen: TestCollector, message: Message): void {
  for (const metric of messages(message, 1).flatMap((of) => messages(of, 2).flatMap((scope) => messages(scope, 2)))) {
    const values = new Map<string, number>();
    for (const [kind, attributes] of [
      [5, 7],
      [7, 7],
      [9, 9],
    ] as const) {
      for (const point of messages(metric, kind).flatMap((data) => messages(data, 1))) {
        const value = kind === 9 ? Number(bigOf(point, 4)) : doubleOf(bigOf(point, 4));
        values.set(JSON.stringify(attributesOf(point, attributes)), value);
      }
    }
    seen.metrics.set(textOf(metric, 1), values);
  }
}

/** KeyValue: key 1, value 2; AnyValue: string 1, bool 2, int 3, double 4. */
function attributesOf(message: Message, field: number): Record<string, unknown> {
  const attributes: Record<string, unknown> = {};
  for (const pair of messages(message, field)) {
    for (const value of messages(pair, 2)) {
      const [[kind, [raw]]] = [...value.entries()] as [[number, [bigint | Uint8Array]]];
      attributes[textOf(pair, 1)] =
        kind === 1 ? Buffer.from(raw as Uint8Array).toString() : kind === 4 ? doubleOf(raw as bigint) : Number(raw);
    }
  }
  return attributes;
}
