import type { TimeRange } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';
import { Button, Combobox, IconButton, InlineField, InlineFieldRow, MultiCombobox } from '@grafana/ui';
import type { DataSource } from './DataSource';
import { optionsOf } from './lists';
import type { Matcher } from './query.gen';

interface Props {
  /** Tells the controls of several editors on one page apart. */
  idPrefix: string;
  datasource: DataSource;
  pom?: string;
  dimensions: string[];
  matchers: Matcher[];
  range?: TimeRange;
  onChange: (matchers: Matcher[]) => void;
}

/** Edits matchers: each keeps what has one of some values in a dimension. */
export function MatcherRows({ idPrefix, datasource, pom, dimensions, matchers, range, onChange }: Props) {
  const change = (i: number, matcher: Matcher) => onChange(matchers.map((old, j) => (i === j ? matcher : old)));

  const search = async (i: number, typed: string) => {
    const others = matchers.filter((_, j) => j !== i);
    const known = await datasource.values(matchers[i].dimension, { pom, matchers: others, range }).catch(() => []);
    const variables = getTemplateSrv()
      .getVariables()
      .map(({ name }) => `$${name}`);
    const fits = (text: string) => text.toLowerCase().includes(typed.toLowerCase());
    return optionsOf([...known, ...variables].filter(fits));
  };

  return (
    <>
      {matchers.map((matcher, i) => {
        const name = `matcher ${i + 1}`;
        return (
          <InlineFieldRow key={i}>
            <InlineField label={i === 0 ? 'Only' : 'and'} labelWidth={16} htmlFor={`${idPrefix}-dimension-${i}`}>
              <Combobox
                id={`${idPrefix}-dimension-${i}`}
                width={16}
                placeholder="dimension"
                value={matcher.dimension || null}
                options={optionsOf(dimensions, matcher.dimension ? [matcher.dimension] : [])}
                onChange={({ value }) => change(i, { dimension: value, values: [] })}
              />
            </InlineField>
            <InlineField label="is one of" htmlFor={`${idPrefix}-values-${i}`} disabled={!matcher.dimension}>
              <MultiCombobox
                id={`${idPrefix}-values-${i}`}
                width="auto"
                minWidth={24}
                maxWidth={64}
                createCustomValue
                placeholder="values"
                value={matcher.values}
                // The key makes it ask again when the question is another.
                key={`${pom} ${matcher.dimension}`}
                options={(typed: string) => search(i, typed)}
                onChange={(chosen) => change(i, { ...matcher, values: chosen.map(({ value }) => value) })}
              />
            </InlineField>
            <IconButton
              name="trash-alt"
              aria-label={`Remove ${name}`}
              tooltip={`Remove ${name}`}
              onClick={() => onChange(matchers.filter((_, j) => j !== i))}
            />
          </InlineFieldRow>
        );
      })}
      <Button
        variant="secondary"
        size="sm"
        icon="plus"
        onClick={() => onChange([...matchers, { dimension: '', values: [] }])}
      >
        Add matcher
      </Button>
    </>
  );
}
