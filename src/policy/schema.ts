/** The grammar of the bundle's files, declared once. Each description completes "expected …". */
import * as z from 'zod';
import { AMOUNT, AMOUNT_FORM } from './amount.ts';
import { CONDITION, parseCondition } from './condition.ts';
import { DIGEST, parseDigest } from './digest.ts';
import {
  accountPath,
  accountPattern,
  accountTemplate,
  checked,
  className,
  count,
  date,
  decimal,
  duration,
  enforce,
  environment,
  flag,
  https,
  keyId,
  keySetPlace,
  kind,
  labels,
  list,
  modelName,
  modelPattern,
  name,
  owner,
  percent,
  sentence,
  size,
  text,
} from './forms.ts';
import { SIGNATURES } from './issuer.ts';
import { DIALECTS, PARTITIONS } from './policy.ts';
import { PERCENT, parsePercent } from './quantity.ts';
import { ZONE } from './zone.ts';

const match = z.strictObject({
  accounts: list(accountPattern, 'accounts'),
  routes: list(name, 'routes').optional(),
  models: list(modelPattern, 'models or patterns').optional(),
  model_labels: labels.optional(),
});

export const accessSchema = z.strictObject({
  owner,
  environment,
  enforce: enforce.optional(),
  credentials: z
    .strictObject({
      age_max: duration.optional(),
      rotation_overlap: duration.optional(),
      unused_after: duration.optional(),
    })
    .optional(),
  issuers: z
    .record(
      name,
      z.strictObject({
        issuer: https,
        jwks: keySetPlace,
        audience: sentence,
        algorithms: list(
          z.enum(SIGNATURES).describe('an asymmetric algorithm like `ES256`'),
          'asymmetric algorithms like `ES256`',
        ),
        type: text(/^[A-Za-z0-9][A-Za-z0-9+._/-]{0,63}$/, 'a type of token like `at+jwt`'),
        age_max: duration,
        account: accountTemplate,
        actor: text(/^\{[A-Za-z0-9_]{1,64}\}$/, 'a claim like `{sub}`').optional(),
        kind,
        class: className,
        owner: owner.optional(),
      }),
    )
    .optional(),
  certificates: list(
    z.strictObject({ id: sentence, account: accountPath, kind, class: className, owner: owner.optional() }),
    'certificates',
  ).optional(),
  rules: list(
    z.strictObject({
      name,
      deny: match.optional(),
      allow: match.optional(),
      reason: sentence.optional(),
      enforce: enforce.optional(),
      owner: owner.optional(),
    }),
    'rules',
  ),
  blocked: z
    .strictObject({
      accounts: list(accountPattern, 'accounts').optional(),
      credentials: list(sentence, 'credential ids').optional(),
      actors: list(sentence, 'actors').optional(),
      models: list(modelPattern, 'models or patterns').optional(),
    })
    .optional(),
});
export type AccessFile = z.infer<typeof accessSchema>;

/** The compiler reads it: its faults have rules of their own. */
const amount = z.string().meta({ description: AMOUNT_FORM, pattern: AMOUNT.source });

export const limitSchema = z.strictObject({
  name,
  max: amount,
  burst: count.optional(),
  each: z
    .enum(PARTITIONS)
    .describe(`one of \`${PARTITIONS.join('`, `')}\``)
    .optional(),
  routes: list(name, 'routes').optional(),
  models: list(modelPattern, 'models or patterns').optional(),
  classes: list(className, 'classes').optional(),
  ceiling: z.record(className, percent).describe('a percent for each class').optional(),
  warn: list(percent, 'percents').optional(),
  estimate: z.enum(['full', 'assumed']).describe('`full` or `assumed`').optional(),
  store_down: z.enum(['closed', 'local', 'open']).describe('`closed`, `local` or `open`').optional(),
  on_expiry: z.enum(['keep', 'release']).describe('`keep` or `release`').optional(),
  enforce: enforce.optional(),
});
export type LimitEntry = z.infer<typeof limitSchema>;

const stepSchema = z.strictObject({
  at: checked(parseCondition, 'a condition from 1% to 100% like `80% of monthly-spend`', CONDITION),
  from: modelName,
  use: modelName,
});

const priceRow = z.strictObject({
  from: date,
  per: text(/^[1-9][0-9]{0,6}[kM]? tokens$/, 'a measure like `1M tokens`'),
  input_over: count.optional(),
  input: decimal,
  output: decimal,
  cache_read: decimal.optional(),
  cache_write_5m: decimal.optional(),
  cache_write_1h: decimal.optional(),
  reasoning: decimal.optional(),
});
export type PriceEntry = z.infer<typeof priceRow>;
const priceTable = z.record(modelName, list(priceRow, 'price rows')).describe('price rows for each model');
const derivedPrices = z.strictObject({
  like: name,
  discount: checked(parsePercent, 'a percent like `12%` or `12.5%`', PERCENT),
});

export const plansSchema = z.strictObject({
  owner,
  currency: text(/^[A-Z]{3}$/, 'a currency of ISO 4217 like `USD`'),
  enforce: enforce.optional(),
  plans: z
    .record(
      name,
      z.strictObject({
        prices: name,
        bill_estimated: flag.optional(),
        entitlements: list(
          z.strictObject({
            routes: list(name, 'routes'),
            models: list(modelPattern, 'models or patterns'),
            classes: list(className, 'classes'),
          }),
          'entitlements',
        ),
        limits: list(limitSchema, 'limits').optional(),
        ladder: list(stepSchema, 'steps').optional(),
        enforce: enforce.optional(),
        owner: owner.optional(),
      }),
    )
    .describe('a mapping of plans'),
  prices: z.record(name, z.union([derivedPrices, priceTable])).describe('a mapping of price lists'),
  costs: z.record(name, priceTable).describe('costs by provider and model').optional(),
});
export type PlansFile = z.infer<typeof plansSchema>;
export type PlanEntry = PlansFile['plans'][string];

const overrideSchema = z.strictObject({
  max: amount,
  burst: count.optional(),
  until: date,
  reason: sentence,
  approved_by: owner,
});

const accountSchema = z.strictObject({
  plan: name.optional(),
  owner: owner.optional(),
  timezone: z.string().meta({ description: 'a time zone like `Europe/Berlin`', pattern: ZONE.source }).optional(),
  month_starts: z.int().min(1).max(28).describe('a day of the month from 1 to 28').optional(),
  unlisted: z.enum(['allow', 'refuse']).describe('`allow` or `refuse`').optional(),
  tags: labels.optional(),
  limits: list(limitSchema, 'limits').optional(),
  overrides: z.record(name, overrideSchema).describe('a mapping of limits to overrides').optional(),
});
export type AccountEntry = z.infer<typeof accountSchema>;
export const accountsSchema = z.record(accountPath, accountSchema).describe('a mapping of accounts');
export type AccountsFile = z.infer<typeof accountsSchema>;

const segment = "(?:(?!\\.{1,2}(?:/|$))[A-Za-z0-9._~:@!$&'()*+,;=-]+|\\{model\\}(?::[A-Za-z]{1,64})?(?=/|$))";
const canonicalPath = text(
  new RegExp(`^(?![^{]*\\{model\\}[^{]*\\{)/(?:${segment}(?:/${segment})*/?)?$`),
  'a canonical path like `/v1/chat/completions`, with one `{model}` as a segment where the API names models there: no query, no `//`, no dot segments, nothing escaped',
);

export const trafficSchema = z.strictObject({
  owner,
  enforce: enforce.optional(),
  routes: z
    .record(
      name,
      z.strictObject({
        match: z.strictObject({
          method: z
            .enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
            .describe('a method: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`'),
          path: canonicalPath,
        }),
        dialect: z
          .enum(DIALECTS)
          .describe(`a dialect: \`${DIALECTS.join('`, `')}\``)
          .optional(),
        metered: flag.optional(),
        body_max: size.optional(),
        lasts_max: duration.optional(),
        stream_usage: z.enum(['add', 'require', 'estimate']).describe('`add`, `require` or `estimate`').optional(),
        stored_state: z.enum(['refuse', 'allow']).describe('`refuse` or `allow`').optional(),
        ledger_full: z.enum(['refuse', 'continue']).describe('`refuse` or `continue`').optional(),
        forward_credential: flag.optional(),
        enforce: enforce.optional(),
        owner: owner.optional(),
      }),
    )
    .describe('a mapping of routes'),
  classes: list(className, 'classes').optional(),
  runs: z.strictObject({ required_for: list(className, 'classes').optional(), idle: duration.optional() }).optional(),
  limits: list(limitSchema, 'limits').optional(),
});
export type TrafficFile = z.infer<typeof trafficSchema>;

export const modelsSchema = z.strictObject({
  owner,
  providers: z
    .record(
      name,
      z.strictObject({
        dialects: list(z.enum(DIALECTS).describe(`a dialect: \`${DIALECTS.join('`, `')}\``), 'dialects'),
      }),
    )
    .describe('a mapping of providers'),
  models: z
    .record(
      modelName,
      z.strictObject({
        provider: name,
        labels: labels.optional(),
        callers_say: list(modelName, 'model names').optional(),
        provider_says: list(modelPattern, 'model names or patterns').optional(),
        output_max: count,
        output_assumed: count.optional(),
        owner: owner.optional(),
      }),
    )
    .describe('a mapping of models'),
});
export type ModelsFile = z.infer<typeof modelsSchema>;

export const keysSchema = z
  .record(
    keyId,
    z.strictObject({
      account: accountPath,
      digest: checked(parseDigest, 'a digest `hmac-sha256:v1:<43 characters of base64url>`', DIGEST),
      kind,
      class: className,
      environment,
      owner,
      created: date,
      expires: date,
      revoked: flag.optional(),
      shared: flag.optional(),
    }),
  )
  .describe('a mapping of keys');
export type KeysFile = z.infer<typeof keysSchema>;
