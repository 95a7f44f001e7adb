import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ours, protobuf, type protobufjs, theirs } from './protos.ts';

const full = theirs();

/** Fields and values that 1.40 has and the older copy lacks: the reason why these protos are our own. */
const NEWER = [
  'envoy.data.accesslog.v3.AccessLogType.TcpConnectionStart',
  'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.RateLimitOverride.unit_multiplier',
  'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.hits_addend',
  'envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.is_negative_hits',
  'envoy.service.auth.v3.CheckResponse.error_response',
  'envoy.service.ratelimit.v3.RateLimitResponse.RateLimit.Unit.WEEK',
  'envoy.service.ratelimit.v3.RateLimitResponse.RateLimit.unit_multiplier',
];

function everything(root: protobufjs.NamespaceBase): protobufjs.ReflectionObject[] {
  return root.nestedArray.flatMap((object) => [
    object,
    ...('nestedArray' in object ? everything(object as protobufjs.NamespaceBase) : []),
  ]);
}

const types = everything(ours).filter((object) => object instanceof protobuf.Type);
const enums = everything(ours).filter((object) => object instanceof protobuf.Enum);
const shared = types.filter((type) => full.lookup(type.fullName) !== null);

/** Everything that makes a field what it is on the wire. */
function shape(field: protobufjs.Field): Record<string, unknown> {
  return {
    id: field.id,
    type: field.resolvedType?.fullName ?? field.type,
    repeated: field.repeated,
    packed: field.repeated && field.packed,
    key: field instanceof protobuf.MapField ? field.keyType : undefined,
    oneof: field.partOf?.name,
  };
}

function known(type: protobufjs.Type): protobufjs.Field[] {
  return type.fieldsArray.filter((field) => full.lookupType(type.fullName).fields[field.name] !== undefined);
}

test('each field that both know has one number, type and label', () => {
  let compared = 0;
  for (const type of shared) {
    const other = full.lookupType(type.fullName);
    for (const field of known(type)) {
      assert.deepEqual(shape(field), shape(other.fields[field.name]!), `${type.fullName}.${field.name}`);
      compared++;
    }
  }
  assert.ok(compared > 200, `only ${compared} fields were compared`);
});

test('each enum value that both know has one number', () => {
  let compared = 0;
  for (const mine of enums) {
    const other = full.lookup(mine.fullName);
    if (!(other instanceof protobuf.Enum)) continue;
    for (const [name, number] of Object.entries(mine.values)) {
      if (other.values[name] === undefined) continue;
      assert.equal(number, other.values[name], `${mine.fullName}.${name}`);
      compared++;
    }
  }
  assert.ok(compared > 80, `only ${compared} values were compared`);
});

test('what only ours knows is what Envoy has added since, and takes no number of another field', () => {
  const newer: string[] = [];
  for (const type of shared) {
    const other = full.lookupType(type.fullName);
    for (const field of type.fieldsArray) {
      if (other.fields[field.name] !== undefined) continue;
      newer.push(`${type.fullName}.${field.name}`.slice(1));
      assert.equal(other.fieldsById[field.id], undefined, `${type.fullName}.${field.name}`);
    }
  }
  for (const mine of enums) {
    const other = full.lookup(mine.fullName);
    if (!(other instanceof protobuf.Enum)) continue;
    for (const name of Object.keys(mine.values)) {
      if (other.values[name] === undefined) newer.push(`${mine.fullName}.${name}`.slice(1));
    }
  }
  assert.deepEqual(newer.sort(), NEWER);
});

test('every message of ours but health is in the fuller copy', () => {
  const alone = types.filter((type) => !shared.includes(type)).map((type) => type.fullName);
  assert.deepEqual(alone, ['.grpc.health.v1.HealthCheckRequest', '.grpc.health.v1.HealthCheckResponse']);
});

test('services, methods and their streaming are the same', () => {
  for (const service of everything(ours).filter((object) => object instanceof protobuf.Service)) {
    const other = full.lookup(service.fullName);
    if (other === null) {
      assert.equal(service.fullName, '.grpc.health.v1.Health');
      continue;
    }
    const methods = (of: protobufjs.Service): unknown =>
      of.methodsArray.map((method) => [
        method.name,
        method.resolvedRequestType?.fullName,
        method.resolvedResponseType?.fullName,
        method.requestStream === true,
        method.responseStream === true,
      ]);
    assert.deepEqual(methods(service), methods(full.lookupService(service.fullName)));
  }
});

test('random messages pass both ways', () => {
  const asObject = (type: protobufjs.Type, bytes: Uint8Array): unknown =>
    type.toObject(type.decode(bytes), { longs: String, bytes: String });
  fc.assert(
    fc.property(fc.constantFrom(...shared), fc.integer(), (mine, seed) => {
      const other = full.lookupType(mine.fullName);
      const value = randomMessage(mine, { random: mulberry32(seed), depth: 0 });
      const sent = mine.encode(mine.fromObject(value)).finish();
      const there = other.toObject(other.decode(sent), { longs: String, bytes: String });
      const here = asObject(mine, sent);
      assert.deepEqual(there, here);
      const back = other.encode(other.fromObject(there)).finish();
      assert.deepEqual(asObject(mine, back), here);
    }),
    { seed: 1140, numRuns: 600 },
  );
});

interface Luck {
  readonly random: () => number;
  readonly depth: number;
}

function randomMessage(type: protobufjs.Type, luck: Luck): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  const taken = new Set<string>();
  for (const field of type.fieldsArray) {
    const isKnown = full.lookupType(type.fullName).fields[field.name] !== undefined;
    if (!isKnown || luck.random() < 0.4 || (field.resolvedType instanceof protobuf.Type && luck.depth > 4)) continue;
    if (field.partOf !== null) {
      if (taken.has(field.partOf.name)) continue;
      taken.add(field.partOf.name);
    }
    const count = Math.floor(luck.random() * 3);
    if (field instanceof protobuf.MapField) {
      value[field.name] = Object.fromEntries(
        Array.from({ length: count }, (_, i) => [`k${i}`, randomValue(field, luck)]),
      );
    } else if (field.repeated) value[field.name] = Array.from({ length: count }, () => randomValue(field, luck));
    else value[field.name] = randomValue(field, luck);
  }
  return value;
}

function randomValue(field: protobufjs.Field, luck: Luck): unknown {
  const { random, depth } = luck;
  if (field.resolvedType instanceof protobuf.Type)
    return randomMessage(field.resolvedType, { random, depth: depth + 1 });
  if (field.resolvedType instanceof protobuf.Enum) {
    // Proto3 enums are open, but both sides must name the value to show it alike.
    const other = full.lookupEnum(field.resolvedType.fullName);
    const numbers = Object.values(field.resolvedType.values).filter((number) => other.valuesById[number] !== undefined);
    return numbers[Math.floor(random() * numbers.length)];
  }
  switch (field.type) {
    case 'string':
      return ['', 'a', 'ключ', '🗝 key', 'x'.repeat(200)][Math.floor(random() * 5)];
    case 'bytes':
      return Buffer.from([0, 255, Math.floor(random() * 256)]).toString('base64');
    case 'bool':
      return random() < 0.5;
    case 'double':
      return random() * 1e6 - 5e5;
    case 'uint64':
      return ['0', '1', '9007199254740993', '18446744073709551615'][Math.floor(random() * 4)];
    case 'int64':
      return ['0', '-1', '9007199254740993', '-9223372036854775808'][Math.floor(random() * 4)];
    case 'uint32':
      return Math.floor(random() * 2 ** 32);
    default:
      return Math.floor(random() * 2 ** 32) - 2 ** 31;
  }
}

/** A small seeded generator (T. Ettinger, public domain): the same message for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
