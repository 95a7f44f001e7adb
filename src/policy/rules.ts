/** The rules that a bundle is judged by: one closed list, each with its severity and the controls that it serves. */

export type Severity = 'error' | 'warning';

/** A rule of the bundle. `controls`: the NIST CSF 2.0 outcomes and OWASP Non-Human Identities Top 10 2025 ids that it serves. */
interface Rule {
  readonly severity: Severity;
  readonly controls: readonly string[];
}

const FORM: Rule = { severity: 'error', controls: ['PR.PS-01'] };
const OWNED: Rule = { severity: 'error', controls: ['GV.OC-01', 'GV.RR-02', 'NHI1'] };
const PRICED: Rule = { severity: 'error', controls: ['GV.OC-01', 'GV.RR-02'] };
const BOUNDED: Rule = { severity: 'error', controls: ['PR.IR-04'] };
const STEPPED: Rule = { severity: 'error', controls: ['PR.AA-05'] };
const REACHED: Rule = { severity: 'warning', controls: ['PR.AA-05', 'NHI5'] };

/** Rules by id. An id once published is never renamed; its severity may only rise. */
export const RULES = {
  'file-missing': FORM,
  'file-unknown': FORM,
  'file-unreadable': FORM,
  'file-size': FORM,
  'file-encoding': FORM,
  'file-empty': FORM,
  'file-unfinished': FORM,
  'file-ignored': { severity: 'warning', controls: ['PR.PS-01'] },
  'yaml-syntax': FORM,
  'yaml-feature': FORM,
  'json-syntax': FORM,
  'number-form': FORM,
  'nesting-depth': FORM,
  'key-duplicate': FORM,
  'key-unknown': FORM,
  'key-missing': FORM,
  'type-wrong': FORM,
  'value-wrong': FORM,
  'name-duplicate': FORM,
  'name-unknown': FORM,
  'name-elsewhere': REACHED,
  'secret-inline': { severity: 'error', controls: ['PR.AA-01', 'PR.DS-01', 'NHI2'] },
  'owner-missing': OWNED,
  'timezone-missing': FORM,
  'price-missing': PRICED,
  'price-inexact': PRICED,
  'price-overlap': PRICED,
  'price-gap': PRICED,
  'price-cycle': PRICED,
  'cost-missing': { severity: 'warning', controls: ['GV.OC-04'] },
  'amount-form': BOUNDED,
  'amount-range': BOUNDED,
  'limit-shape': BOUNDED,
  'limit-duplicate': BOUNDED,
  'limit-vain': { severity: 'warning', controls: ['PR.IR-04'] },
  'override-scope': BOUNDED,
  'override-unit': BOUNDED,
  'ladder-cycle': STEPPED,
  'ladder-conflict': STEPPED,
  'ladder-dearer': STEPPED,
  'ladder-provider': STEPPED,
  'ladder-percent': STEPPED,
  'ladder-limit': STEPPED,
  'ladder-dead-end': { severity: 'warning', controls: ['PR.AA-05'] },
  'ladder-uncleared': REACHED,
  'route-duplicate': FORM,
  'route-dialect': FORM,
  'model-unserved': REACHED,
  'model-ambiguous': { severity: 'error', controls: ['GV.OC-01', 'PR.PS-01'] },
  'rule-form': { severity: 'error', controls: ['PR.AA-05', 'NHI5'] },
  'account-orphan': { severity: 'error', controls: ['GV.RR-02', 'NHI1'] },
  'account-key': FORM,
  'account-unreached': REACHED,
  'rule-vain': REACHED,
  'credential-lifetime': { severity: 'error', controls: ['PR.AA-01', 'NHI7'] },
  'credential-age': { severity: 'warning', controls: ['PR.AA-01', 'NHI7'] },
  'credential-environment': { severity: 'warning', controls: ['PR.AA-05', 'NHI8'] },
  'credential-account': { severity: 'warning', controls: ['PR.AA-05', 'NHI5'] },
  'credential-pepper': { severity: 'warning', controls: ['PR.AA-01'] },
  'issuer-ambiguous': { severity: 'error', controls: ['PR.AA-01', 'PR.AA-05', 'NHI8'] },
  'setting-range': FORM,
  'listen-exposed': { severity: 'error', controls: ['PR.AA-05', 'PR.IR-01'] },
  'secret-file': { severity: 'error', controls: ['PR.AA-01', 'PR.DS-01', 'NHI2'] },
  'secret-place': { severity: 'warning', controls: ['PR.AA-01', 'PR.DS-01', 'NHI2'] },
} as const satisfies Record<string, Rule>;

export type RuleId = keyof typeof RULES;
