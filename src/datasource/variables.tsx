import { useState } from 'react';
import { from, map, type Observable } from 'rxjs';
import {
  CustomVariableSupport,
  type DataQueryRequest,
  type DataQueryResponse,
  type QueryEditorProps,
} from '@grafana/data';
import type { DataQuery } from '@grafana/schema';
import { Combobox, InlineField, InlineFieldRow } from '@grafana/ui';
import { settled } from './boxes';
import type { DataSource, HeatQuery, HeatSettings } from './DataSource';
import { dimensions, useLoaded } from './lists';
import { MatcherRows } from './MatcherRows';
import type { Matcher } from './query.gen';

/** Stands where a dimension does, for the targets that are configured. */
const target = 'target';

/** The same for the services whose profiles Pyroscope keeps. */
const storedService = 'service of Pyroscope';

/** Asks for the values of a dimension, for the targets, or for services of Pyroscope. */
export interface VariableQuery extends DataQuery {
  dimension: string;
  /** Not needed for process, service and version. */
  pom?: string;
  matchers?: Matcher[];
}

/** Template variables whose values are those of a dimension, the targets, or services of Pyroscope. */
export class HeatVariables extends CustomVariableSupport<DataSource, VariableQuery, HeatQuery, HeatSettings> {
  editor = VariableEditor;

  constructor(private readonly datasource: DataSource) {
    super();
  }

  query(request: DataQueryRequest<VariableQuery>): Observable<DataQueryResponse> {
    const { dimension, pom, matchers } = request.targets[0];
    if (!dimension) {
      return from([{ data: [] }]);
    }
    const values = (): Promise<string[]> => {
      switch (dimension) {
        case target:
          return this.datasource.targets();
        case storedService:
          return this.datasource.services(request.range);
        default:
          return this.datasource.values(dimension, { pom, matchers, range: request.range });
      }
    };
    return from(values()).pipe(map((values) => ({ data: values.map((text) => ({ text })) })));
  }
}

/** Edits a variable's query. */
export function VariableEditor({
  datasource,
  query,
  range,
  onChange,
}: QueryEditorProps<DataSource, HeatQuery, HeatSettings, VariableQuery>) {
  const [points] = useState(() => datasource.points());
  const { value: known = [], problem } = useLoaded(points);
  const point = known.find(({ name }) => name === query.pom);
  const change = (changed: Partial<VariableQuery>) => settled(() => onChange({ ...query, ...changed }));
  return (
    <>
      <InlineFieldRow>
        <InlineField label="Dimension" labelWidth={16} htmlFor="variable-dimension">
          <Combobox
            id="variable-dimension"
            width={24}
            value={query.dimension || null}
            options={(point?.dimensions ?? [...dimensions, target, storedService]).map((value) => ({ value }))}
            onChange={({ value }) => change({ dimension: value })}
          />
        </InlineField>
        <InlineField
          label="Measurement point"
          labelWidth={20}
          htmlFor="variable-pom"
          tooltip="Needed for all dimensions but process, service and version."
          invalid={problem !== undefined}
          error={problem}
        >
          <Combobox
            id="variable-pom"
            width={24}
            isClearable
            createCustomValue
            value={query.pom || null}
            options={known.map(({ name, help }) => ({ value: name, description: help }))}
            onChange={(option) => change({ pom: option?.value })}
          />
        </InlineField>
      </InlineFieldRow>
      <MatcherRows
        idPrefix="variable"
        datasource={datasource}
        pom={query.pom}
        dimensions={point?.dimensions ?? dimensions}
        matchers={query.matchers ?? []}
        range={range}
        onChange={(matchers) => change({ matchers })}
      />
    </>
  );
}
