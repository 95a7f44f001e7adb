/** What `check` says of each bundle in test/testdata/bundles/bad: one mistake each, laid over the base bundle. Errors first. */
export const BAD_BUNDLES: Readonly<Record<string, readonly string[]>> = {
  'account-twice': [
    'accounts/other.yaml:1:1: error name-duplicate: `acme/search`: account `acme/search` is already declared in accounts/acme.yaml:10:3 [PR.PS-01]',
  ],
  alias: ['accounts/acme.yaml:3:10: error yaml-feature: `acme.owner`: aliases are not allowed [PR.PS-01]'],
  'allow-and-deny': [
    'access.yaml:7:5: error rule-form: `rules[2]`: a rule has either `allow` or `deny` [PR.AA-05, NHI5]',
  ],
  'amount-too-large': [
    'plans.yaml:9:36: error amount-range: `plans.growth.limits[0].max`: expected an amount below 2^53 units, found `9008k` with 9 decimals [PR.IR-04]',
  ],
  anchor: ['accounts/acme.yaml:10:15: error yaml-feature: `acme/search.owner`: anchors are not allowed [PR.PS-01]'],
  'beyond-2-53': [
    'plans.yaml:28:69: error amount-range: `costs.openai.small[0].output`: expected a number below 2^53, found `9223372036854775807` [PR.IR-04]',
  ],
  bidi: [
    'access.yaml:7:15: error file-encoding: expected visible text, found the control or invisible character U+202E [PR.PS-01]',
  ],
  'blocked-list': [
    'access.yaml:8:10: error type-wrong: `blocked`: expected a mapping of `accounts`, `credentials`, `actors`, `models`, found a list [PR.PS-01]',
  ],
  bom: [
    'models.yaml:1:1: error file-encoding: expected visible text, found the control or invisible character U+FEFF [PR.PS-01]',
  ],
  'boolean-word': [
    'traffic.yaml:4:61: error value-wrong: `routes.models.metered`: expected `true` or `false`, found `False`; did you mean `false`? [PR.PS-01]',
  ],
  'burst-per-month': [
    'traffic.yaml:7:28: error limit-shape: `limits[0].max`: expected a rate per day or less beside `burst`, found `20 requests per month` [PR.IR-04]',
  ],
  'ceiling-on-window': [
    'accounts/acme.yaml:12:50: error limit-shape: `acme/search.limits[0].ceiling`: only a rate (with `burst`) or a limit in flight has shares of classes [PR.IR-04]',
  ],
  connect: [
    'traffic.yaml:4:28: error value-wrong: `routes.models.match.method`: expected a method: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`, found `CONNECT` [PR.PS-01]',
  ],
  'cost-per-credential': [
    'plans.yaml:10:62: error limit-shape: `plans.growth.limits[1].each`: expected `customer` or nothing, as `cost` caps hold per customer, found `credential` [PR.IR-04]',
  ],
  'customer-without-owner': [
    'accounts/acme.yaml:1:1: error owner-missing: `acme`: missing key `owner`: a customer has an owner like `team@acme.example` [GV.OC-01, GV.RR-02, NHI1]',
  ],
  'customer-without-timezone': [
    'accounts/acme.yaml:1:1: error timezone-missing: `acme`: missing key `timezone`: customer `acme` has a time zone like `Europe/Berlin` [PR.PS-01]',
  ],
  'digest-wrong': [
    'keys/search.yaml:1:40: error value-wrong: `k7f3q2.digest`: expected a digest `hmac-sha256:v1:<43 characters of base64url>`, found another text [PR.PS-01]',
  ],
  directive: ['models.yaml:1:1: error yaml-feature: directives are not allowed [PR.PS-01]'],
  'duplicate-key': [
    'accounts/acme.yaml:6:3: error key-duplicate: `acme.plan`: found again; first in line 2 [PR.PS-01]',
  ],
  'duplicate-limit': [
    'accounts/acme.yaml:12:14: error limit-duplicate: `acme/search.limits[0].name`: `monthly-spend` is already a limit of this account, declared in plans.yaml:9:9 [PR.IR-04]',
  ],
  'duplicate-route': [
    'traffic.yaml:4:19: error route-duplicate: `routes.models.match`: route `chat` already matches POST `/v1/chat/completions` [PR.PS-01]',
  ],
  empty: ['accounts/acme.yaml:1:1: error file-empty: expected a mapping, found an empty file [PR.PS-01]'],
  'escaped-bidi': [
    'access.yaml:5:94: error file-encoding: `rules[0].reason`: expected visible text on one line [PR.PS-01]',
  ],
  'file-misspelt': [
    'acess.yaml:1:1: error file-unknown: no file of a bundle has this name; did you mean `access.yaml`? [PR.PS-01]',
  ],
  'file-twice': ['models.yaml:1:1: error file-unknown: `models.json` says the same; keep one [PR.PS-01]'],
  'fraction-of-a-token': [
    'plans.yaml:10:34: error amount-form: `plans.growth.limits[1].max`: expected a whole number, found `1.5` [PR.IR-04]',
  ],
  'greedy-answer': [
    'models.yaml:6:74: error model-ambiguous: `models.large.provider_says[0]`: `*l*` also matches model `small` [GV.OC-01, PR.PS-01]',
  ],
  infinite: [
    'plans.yaml:28:69: error number-form: `costs.openai.small[0].output`: expected a decimal number, found `.inf` [PR.PS-01]',
  ],
  'issuer-customer-from-claim': [
    'access.yaml:5:164: error value-wrong: `issuers.corp.account`: expected an account whose first part is literal, with whole parts from claims, like `acme/{team}`, found `{org}/{team}` [PR.PS-01]',
  ],
  'issuer-empty-algorithms': [
    'access.yaml:5:118: error value-wrong: `issuers.corp.algorithms`: expected at least 1 entry, found an empty list [PR.PS-01]',
  ],
  'issuer-none': [
    'access.yaml:5:119: error value-wrong: `issuers.corp.algorithms[0]`: expected an asymmetric algorithm like `ES256`, found `none` [PR.PS-01]',
  ],
  'issuer-part-of-a-part': [
    'access.yaml:5:164: error value-wrong: `issuers.corp.account`: expected an account whose first part is literal, with whole parts from claims, like `acme/{team}`, found `acme/team-{team}` [PR.PS-01]',
  ],
  'issuer-plain-http': [
    'access.yaml:5:49: error value-wrong: `issuers.corp.jwks`: expected an https URL without query (http only on loopback), never of a link-local or metadata address, or a file like `jwks/corp.json`, found `http://id.acme.example/jwks.json` [PR.PS-01]',
  ],
  'issuer-symmetric': [
    'access.yaml:5:126: error value-wrong: `issuers.corp.algorithms[1]`: expected an asymmetric algorithm like `ES256`, found `HS256`; did you mean `RS256`? [PR.PS-01]',
  ],
  'issuer-twice': [
    'access.yaml:6:96: error issuer-ambiguous: `issuers.staff.audience`: issuer `corp` already takes the tokens of `https://id.acme.example` for `ai-gateway` [PR.AA-01, PR.AA-05, NHI8]',
  ],
  'issuer-without-age': [
    'access.yaml:5:3: error key-missing: `issuers.corp`: missing key `age_max`: expected a length of time like `100ms`, `30s`, `15m`, `1h` or `90d` [PR.PS-01]',
  ],
  'issuer-without-algorithms': [
    'access.yaml:5:3: error key-missing: `issuers.corp`: missing key `algorithms`: expected a list of asymmetric algorithms like `ES256` [PR.PS-01]',
  ],
  'issuer-without-type': [
    'access.yaml:5:3: error key-missing: `issuers.corp`: missing key `type`: expected a type of token like `at+jwt` [PR.PS-01]',
  ],
  'json-duplicate': [
    'accounts/globex.json:1:56: error key-duplicate: `globex.owner`: found again; first in line 1 [PR.PS-01]',
  ],
  'json-with-comment': ['keys/more.json:1:3: error json-syntax: expected JSON, found something else here [PR.PS-01]'],
  'key-expires-before': [
    'keys/search.yaml:1:214: error credential-lifetime: `k7f3q2.expires`: expected a day not before `2026-01-01`, found `2025-03-31` [PR.AA-01, NHI7]',
  ],
  'key-twice': [
    'keys/search.yaml:1:1: error name-duplicate: `k7f3q2`: key `k7f3q2` is already declared in keys/other.yaml:1:9 [PR.PS-01]',
  ],
  'key-without-expiry': [
    'keys/search.yaml:1:1: error key-missing: `k7f3q2`: missing key `expires`: expected a day like `2026-01-31` [PR.PS-01]',
  ],
  'ladder-cycle': [
    'plans.yaml:14:54: error ladder-cycle: `plans.growth.ladder[2].use`: the ladder leads back: `large` → `small` → `large` [PR.AA-05]',
  ],
  'ladder-dearer': [
    'plans.yaml:12:54: error ladder-dearer: `plans.growth.ladder[0].use`: `small` is dearer than `large` in list `acme-2026`: `cache_read` from 2026-01-01 [PR.AA-05]',
  ],
  'ladder-foreign-limit': [
    'plans.yaml:13:14: error name-unknown: `plans.growth.ladder[1].at`: expected a limit of this plan, found `team-spend` [PR.PS-01]',
    'plans.yaml:10:16: warning ladder-dead-end: `plans.growth.limits[1].name`: only `large` carries this limit, and no step to `small` names it: it refuses when it is full [PR.AA-05]',
  ],
  'ladder-limit-not-carried': [
    'plans.yaml:13:14: error ladder-limit: `plans.growth.ladder[1].at`: model `large` does not carry limit `large-daily` [PR.AA-05]',
    'plans.yaml:10:16: warning ladder-dead-end: `plans.growth.limits[1].name`: only `small` carries this limit, and no step to `tiny` names it: it refuses when it is full [PR.AA-05]',
  ],
  'ladder-other-provider': [
    'plans.yaml:12:54: error ladder-provider: `plans.growth.ladder[0].use`: expected a model of provider `openai`, found `small` of provider `other` [PR.AA-05]',
    'plans.yaml:14:54: error ladder-provider: `plans.growth.ladder[2].use`: expected a model of provider `other`, found `tiny` of provider `openai` [PR.AA-05]',
    'plans.yaml:20:5: warning cost-missing: `prices.standard.small`: model `small` has no cost under provider `other` [GV.OC-04]',
  ],
  'ladder-percent-falls': [
    'plans.yaml:14:14: error ladder-percent: `plans.growth.ladder[2].at`: expected at least 80% as in a step above it, found `70%` [PR.AA-05]',
  ],
  'ladder-two-targets': [
    'plans.yaml:13:53: error ladder-conflict: `plans.growth.ladder[1].use`: expected `small`, as the step from `large` above says, found `large` [PR.AA-05]',
  ],
  'leading-zero': [
    'accounts/acme.yaml:5:17: error number-form: `acme.month_starts`: expected a decimal integer without leading zero, found `017` [PR.PS-01]',
  ],
  'limit-twice': [
    'plans.yaml:11:16: error name-duplicate: `plans.growth.limits[2].name`: a limit `monthly-spend` stands above [PR.PS-01]',
  ],
  'list-empty': [
    'access.yaml:7:58: error value-wrong: `rules[2].allow.routes`: expected at least 1 entry, found an empty list [PR.PS-01]',
  ],
  'merge-key': ['accounts/acme.yaml:10:3: error yaml-feature: `acme/search`: merge keys are not allowed [PR.PS-01]'],
  'method-lower-case': [
    'traffic.yaml:3:48: error value-wrong: `routes.chat.match.method`: expected a method: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`, found `post`; did you mean `POST`? [PR.PS-01]',
  ],
  'missing-owner': [
    'traffic.yaml:1:1: error owner-missing: missing key `owner`: expected an owner like `team@acme.example` [GV.OC-01, GV.RR-02, NHI1]',
  ],
  'no-such-day': [
    'plans.yaml:21:16: error value-wrong: `prices.standard.small[0].from`: expected a day like `2026-01-31`, found `2026-02-30` [PR.PS-01]',
  ],
  nul: [
    'models.yaml:7:47: error file-encoding: expected visible text, found the control or invisible character U+0000 [PR.PS-01]',
  ],
  'number-as-text': [
    'accounts/acme.yaml:6:23: error type-wrong: `acme.tags.cost_center`: expected a text of [A-Za-z0-9._ /:@+-]; numbers in quotes, found `4711` [PR.PS-01]',
  ],
  'orphan-account': [
    'accounts/acme.yaml:9:1: error account-orphan: `acne/search`: customer `acne` of account `acne/search` is not declared; did you mean `acme`? [GV.RR-02, NHI1]',
  ],
  'override-elsewhere': [
    'accounts/acme.yaml:10:15: error override-scope: `acme/search.overrides.monthly-spend`: limit `monthly-spend` is counted at `acme`; an override of it stands there [PR.IR-04]',
  ],
  'override-other-unit': [
    'accounts/acme.yaml:8:24: error override-unit: `acme.overrides.large-daily.max`: expected the same unit and period as limit `large-daily` (plans.yaml:10:9), found `3M tokens per month` [PR.IR-04]',
  ],
  'override-unknown-limit': [
    'accounts/acme.yaml:8:5: error name-unknown: `acme.overrides.large-dayly`: expected a limit that binds `acme`, found `large-dayly`; did you mean `large-daily`? [PR.PS-01]',
  ],
  'owner-not-a-person': [
    'models.yaml:1:8: error value-wrong: `owner`: expected an owner like `team@acme.example`, found `platform` [PR.PS-01]',
  ],
  'path-not-canonical': [
    'traffic.yaml:4:39: error value-wrong: `routes.models.match.path`: expected a canonical path like `/v1/chat/completions`, with one `{model}` as a segment where the API names models there: no query, no `//`, no dot segments, nothing escaped, found `/v1//models` [PR.PS-01]',
  ],
  'price-cycle': [
    'plans.yaml:24:21: error price-cycle: `prices.acme-2026.like`: `acme-2026` is like `acme-2026` [GV.OC-01, GV.RR-02]',
  ],
  'price-gap': [
    'plans.yaml:19:16: error price-gap: `prices.standard.large[1].from`: the band begins before the base band has a price [GV.OC-01, GV.RR-02]',
  ],
  'price-inexact': [
    'plans.yaml:28:69: error price-inexact: `costs.openai.small[0].output`: expected a price that is a whole number of 10^-9 per million, found `1.6000000001` [GV.OC-01, GV.RR-02]',
  ],
  'price-missing': [
    'plans.yaml:7:42: error price-missing: `plans.growth.entitlements[0].models[1]`: model `small` has no price in list `acme-2026` [GV.OC-01, GV.RR-02]',
  ],
  'price-overlap': [
    'plans.yaml:19:9: error price-overlap: `prices.standard.large[1]`: another row has the same `from` and band [GV.OC-01, GV.RR-02]',
  ],
  'price-without-output': [
    'plans.yaml:28:13: error price-missing: `costs.openai.small[0]`: missing key `output`: expected an amount of money like `1.25` [GV.OC-01, GV.RR-02]',
  ],
  'prototype-key': ['accounts/acme.yaml:9:1: error key-unknown: key `__proto__` is not allowed anywhere [PR.PS-01]'],
  'route-without-dialect': [
    'traffic.yaml:3:3: error route-dialect: `routes.chat`: missing key `dialect`: a route has one, unless it says `metered: false` [PR.PS-01]',
  ],
  'stored-state-elsewhere': [
    'traffic.yaml:3:46: error route-dialect: `routes.chat.stored_state`: no body of this route is read for stored state: `stored_state: refuse` is of metered routes of `openai-responses` [PR.PS-01]',
    'traffic.yaml:4:82: error route-dialect: `routes.models.stored_state`: no body of this route is read for stored state: `stored_state: refuse` is of metered routes of `openai-responses` [PR.PS-01]',
  ],
  'secret-inline': [
    'keys/search.yaml:1:40: error secret-inline: `k7f3q2.digest`: expected a digest, an id or the name of a file, found what looks like a secret [PR.AA-01, PR.DS-01, NHI2]',
  ],
  'settings-address': [
    'tollgate.yaml:1:17: error value-wrong: `listen.check`: expected an address like `127.0.0.1:18080`, `[::1]:18080` or `unix:run/check.sock`, found `127.0.0.1` [PR.PS-01]',
  ],
  'settings-deadline': [
    'tollgate.yaml:1:11: error setting-range: `deadline`: expected from `10ms` to `10s`, found `11s` [PR.PS-01]',
  ],
  'settings-duration': [
    'tollgate.yaml:1:9: error type-wrong: `commit`: expected a length of time like `100ms`, `30s`, `15m`, `1h` or `90d`, found `5` [PR.PS-01]',
  ],
  'settings-exposed': [
    'tollgate.yaml:1:17: error listen-exposed: `listen.check`: expected a loopback address or a Unix socket; beyond it `tls.check`, or `plain_listen: true` where it must be plain, found `0.0.0.0:18080` [PR.AA-05, PR.IR-01]',
  ],
  'settings-no-pepper': [
    'tollgate.yaml:1:15: error secret-file: `peppers.v1`: expected a readable file of 64 hex digits with mode 0640 or stricter, found no such file; `tollgate keys pepper FILE` makes one [PR.AA-01, PR.DS-01, NHI2]',
    'tollgate.yaml:1:15: warning secret-place: `peppers.v1`: expected a file outside the bundle, found one that is read by whoever reads the bundle [PR.AA-01, PR.DS-01, NHI2]',
  ],
  'settings-one-address': [
    'tollgate.yaml:1:9: error value-wrong: `listen`: `check` and `access_log` need addresses of their own [PR.PS-01]',
  ],
  'settings-settle-within': [
    'tollgate.yaml:1:16: error setting-range: `settle_within`: expected at least the longest `lasts_max` of a route and 10 minutes (1200s), found `900s` [PR.PS-01]',
  ],
  'settings-unknown-key': ['tollgate.yaml:1:10: error key-unknown: `ledger.file`: unknown key `file` [PR.PS-01]'],
  'subaccount-timezone': [
    'accounts/acme.yaml:10:3: error account-key: `acme/search.timezone`: only a customer says `timezone`; it holds for all below it [PR.PS-01]',
  ],
  tab: [
    'models.yaml:3:1: error yaml-syntax: expected spaces, found a tab as indentation [PR.PS-01]',
    'models.yaml:4:1: error yaml-syntax: not well-formed: all mapping items must start at the same column [PR.PS-01]',
  ],
  tag: ['accounts/acme.yaml:6:29: error yaml-feature: `acme.tags.cost_center`: tags are not allowed [PR.PS-01]'],
  'total-without-run': [
    'plans.yaml:9:36: error limit-shape: `plans.growth.limits[0].max`: expected a window (`per …`); only a limit of `each: run` has none, found `500 USD` [PR.IR-04]',
  ],
  'traffic-limit-of-a-plan': [
    'traffic.yaml:7:12: error limit-duplicate: `limits[0].name`: `monthly-spend` is already a limit of a plan, declared in plans.yaml:9:9 [PR.IR-04]',
  ],
  'traffic-without-each': [
    'traffic.yaml:7:5: error limit-shape: `limits[0]`: missing key `each`: in traffic.yaml every limit names its partition [PR.IR-04]',
  ],
  'two-documents': ['models.yaml:9:1: error yaml-feature: expected one document, found another after it [PR.PS-01]'],
  'two-meanings': [
    'models.yaml:6:43: error model-ambiguous: `models.large.callers_say[0]`: `small` already means model `small` [GV.OC-01, PR.PS-01]',
  ],
  'unbuilt-key': ['plans.yaml:3:1: error key-unknown: `decimals`: unknown key `decimals` [PR.PS-01]'],
  unclosed: [
    'traffic.yaml:6:1: error yaml-syntax: not well-formed: flow sequence in block collection must be sufficiently indented and end with a ] [PR.PS-01]',
  ],
  'unknown-class': [
    'traffic.yaml:8:75: error name-unknown: `limits[1].ceiling.bacth`: expected a class of traffic.yaml, found `bacth`; did you mean `batch`? [PR.PS-01]',
  ],
  'unknown-key': [
    'plans.yaml:9:55: error key-unknown: `plans.growth.limits[0].wran`: unknown key `wran`; did you mean `warn`? [PR.PS-01]',
  ],
  'unknown-plan': [
    'accounts/acme.yaml:2:9: error name-unknown: `acme.plan`: expected a plan of plans.yaml, found `growht`; did you mean `growth`? [PR.PS-01]',
  ],
  'unknown-price-list': [
    'plans.yaml:5:13: error name-unknown: `plans.growth.prices`: expected a price list of plans.yaml, found `acme-2025`; did you mean `acme-2026`? [PR.PS-01]',
  ],
  'unknown-provider': [
    'models.yaml:7:21: error name-unknown: `models.small.provider`: expected a provider of models.yaml, found `opnai`; did you mean `openai`? [PR.PS-01]',
  ],
  'unknown-step-limit': [
    'plans.yaml:12:14: error name-unknown: `plans.growth.ladder[0].at`: expected a limit of this plan, found `monthly-spent`; did you mean `monthly-spend`? [PR.PS-01]',
  ],
  'unknown-tag': ['accounts/acme.yaml:3:10: error yaml-feature: tags are not allowed [PR.PS-01]'],
  'unknown-timezone': [
    'accounts/acme.yaml:4:13: error value-wrong: `acme.timezone`: expected a time zone like `Europe/Berlin`, found `Europe/Berln`; did you mean `Europe/Berlin`? [PR.PS-01]',
  ],
  'warn-account-unreached': [
    'accounts/globex.yaml:1:1: warning account-unreached: `globex`: no allow rule of access.yaml matches this account or one below it; all its calls are refused [PR.AA-05, NHI5]',
  ],
  'warn-class-gone': [
    'plans.yaml:7:79: warning name-elsewhere: `plans.growth.entitlements[0].classes[1]`: expected a class of traffic.yaml, found `batch` [PR.AA-05, NHI5]',
  ],
  'warn-copy-ignored': ['access.yaml.bak:1:1: warning file-ignored: a file of this name is not read [PR.PS-01]'],
  'warn-cost-missing': [
    'plans.yaml:20:5: warning cost-missing: `prices.standard.small`: model `small` has no cost under provider `openai` [GV.OC-04]',
  ],
  'warn-dead-end': [
    'plans.yaml:10:16: warning ladder-dead-end: `plans.growth.limits[1].name`: only `large` carries this limit, and no step to `small` names it: it refuses when it is full [PR.AA-05]',
  ],
  'warn-issuer-class-gone': [
    'access.yaml:5:215: warning name-elsewhere: `issuers.corp.class`: expected a class of traffic.yaml, found `interactve`; did you mean `interactive`? [PR.AA-05, NHI5]',
  ],
  'warn-issuer-customer-gone': [
    "access.yaml:5:164: warning credential-account: `issuers.corp.account`: customer `acmee` is not declared; the issuer's tokens are refused [PR.AA-05, NHI5]",
  ],
  'warn-directory-ignored': [
    'account:1:1: warning file-ignored: a directory of this name is no part of a bundle; nothing in it is read; did you mean `accounts`? [PR.PS-01]',
    'accounts/emea:1:1: warning file-ignored: a directory of this name is no part of a bundle; nothing in it is read [PR.PS-01]',
    'bundle:1:1: warning file-ignored: a directory of this name is no part of a bundle; nothing in it is read [PR.PS-01]',
  ],
  'warn-key-elsewhere': [
    'keys/search.yaml:1:150: warning credential-environment: `k7f3q2.environment`: expected `staging`, the environment of this deployment, found `prod`; the key is refused here [PR.AA-05, NHI8]',
  ],
  'warn-key-too-old': [
    'keys/search.yaml:1:214: warning credential-age: `k7f3q2.expires`: expected a day within `age_max` (30d) of `2026-01-01`, found `2026-03-31`; the key ends earlier [PR.AA-01, NHI7]',
  ],
  'warn-key-without-account': [
    'keys/search.yaml:1:19: warning credential-account: `k7f3q2.account`: account `globex/search` is not declared; the key is refused [PR.AA-05, NHI5]',
  ],
  'warn-model-gone': [
    'plans.yaml:7:42: warning name-elsewhere: `plans.growth.entitlements[0].models[1]`: expected a model of models.yaml, found `small` [PR.AA-05, NHI5]',
    'plans.yaml:12:54: warning name-elsewhere: `plans.growth.ladder[0].use`: expected a model of models.yaml, found `small` [PR.AA-05, NHI5]',
    'plans.yaml:14:42: warning name-elsewhere: `plans.growth.ladder[2].from`: expected a model of models.yaml, found `small` [PR.AA-05, NHI5]',
    'plans.yaml:21:7: warning name-elsewhere: `prices.standard.small`: expected a model of models.yaml, found `small` [PR.AA-05, NHI5]',
  ],
  'warn-not-served-here': [
    'plans.yaml:7:35: warning model-unserved: `plans.growth.entitlements[0].models[0]`: no route of this entitlement speaks a dialect of provider `openai`; model `large` is not served here [PR.AA-05, NHI5]',
    'plans.yaml:7:42: warning model-unserved: `plans.growth.entitlements[0].models[1]`: no route of this entitlement speaks a dialect of provider `openai`; model `small` is not served here [PR.AA-05, NHI5]',
    'plans.yaml:7:49: warning model-unserved: `plans.growth.entitlements[0].models[2]`: no route of this entitlement speaks a dialect of provider `openai`; model `tiny` is not served here [PR.AA-05, NHI5]',
  ],
  'warn-pattern-in-vain': [
    'accounts/acme.yaml:12:58: warning limit-vain: `acme/search.limits[0].models`: no declared model matches; the limit binds nothing [PR.IR-04]',
  ],
  'warn-pepper-unnamed': [
    'keys/search.yaml:1:40: warning credential-pepper: `k7f3q2.digest`: tollgate.yaml names no pepper `v1`; keys under it are refused [PR.AA-01]',
  ],
  'warn-route-gone': [
    'access.yaml:7:65: warning name-elsewhere: `rules[2].allow.routes[1]`: expected a route of traffic.yaml, found `models` [PR.AA-05, NHI5]',
  ],
  'warn-rule-in-vain': [
    'access.yaml:7:49: warning rule-vain: `rules[2].allow.accounts[1]`: no declared account matches `acmee/**`; did you mean `acme`? [PR.AA-05, NHI5]',
    'access.yaml:7:59: warning rule-vain: `rules[2].allow.accounts[2]`: no declared account matches `globex` [PR.AA-05, NHI5]',
  ],
  'warn-step-refused': [
    'plans.yaml:14:54: warning ladder-uncleared: `plans.growth.ladder[2].use`: access.yaml clears model `tiny` for no account of this plan; the step is skipped [PR.AA-05, NHI5]',
  ],
  'warn-step-uncleared': [
    'plans.yaml:12:54: warning ladder-uncleared: `plans.growth.ladder[0].use`: the plan does not clear model `small`; the step is skipped [PR.AA-05, NHI5]',
  ],
  'wrong-currency': [
    "plans.yaml:9:36: error amount-form: `plans.growth.limits[0].max`: expected the bundle's currency `USD`, found `EUR` [PR.IR-04]",
  ],
  'wrong-unit': [
    'plans.yaml:10:34: error amount-form: `plans.growth.limits[1].max`: expected a unit: `requests`, `tokens`, `input_tokens`, `output_tokens`, `runs`, money in `USD`, or `in flight`, found `token`; did you mean `tokens`? [PR.IR-04]',
  ],
  'wrong-window': [
    'plans.yaml:9:36: error amount-form: `plans.growth.limits[0].max`: expected a window: `second`, `minute`, `hour`, `day`, `week`, `month`, `year`, or like `10s`, `5m`, `6h`, found `mnoth`; did you mean `month`? [PR.IR-04]',
  ],
  'zero-amount': [
    'plans.yaml:9:36: error amount-range: `plans.growth.limits[0].max`: expected an amount above 0, found `0` [PR.IR-04]',
  ],
};
