/** Queries in the files of k8s/monitoring, and what they read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const MONITORING = join(import.meta.dirname, '../../k8s/monitoring');

export interface Query {
  /** Title of the panel, or name of the alert. */
  readonly where: string;
  readonly expr: string;
}

/** What a query reads: the names of time series, each with the labels that it is asked by. */
export interface Read {
  readonly series: string;
  readonly labels: readonly string[];
}

export function alerts(): readonly Query[] {
  const { groups } = parse(readFileSync(join(MONITORING, 'alerts.yaml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  return groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ where: alert, expr })));
}

export function panels(): readonly Query[] {
  const dashboard = JSON.parse(readFileSync(join(MONITORING, 'dashboard.json'), 'utf8')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
    templating: { list: { name: string; query: string | { query: string } }[] };
  };
  const variables = dashboard.templating.list.flatMap(({ name, query }) =>
    typeof query === 'string' ? [] : [{ where: `$${name}`, expr: query.query }],
  );
  return [
    ...variables,
    ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expr }))),
  ];
}

const SERIES = /\b((?:tollgate|gen_ai|nodejs)_[a-z0-9_]+)\b(\{[^}]*\})?/g;
const GROUPING = /\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g;
const MATCHER = /([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)/g;

/** The series that an expression reads, with the labels of their matchers. */
export function readsOf(expr: string): readonly Read[] {
  const bare = expr.replace(GROUPING, ' ').replace(/label_values\((\w+), \w+\)/, '$1');
  return [...bare.matchAll(SERIES)].map(([, series, matchers = '']) => ({
    series: series!,
    labels: [...matchers.replace(/"[^"]*"/g, '""').matchAll(MATCHER)].map(([, label]) => label!),
  }));
}

/** The labels that an expression groups by. */
export function groupsOf(expr: string): readonly string[] {
  return [...expr.matchAll(GROUPING)].flatMap(([, labels]) => labels!.split(',').map((label) => label.trim()));
}
