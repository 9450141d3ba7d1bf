import {
  DataFrameType,
  type VisualizationSuggestion,
  VisualizationSuggestionScore,
  type VisualizationSuggestionsSupplier,
} from '@grafana/data';
import type { Options } from './options';
import { isEvents } from './points/events';

/** The frames that this panel is made for. */
const types: string[] = [DataFrameType.HeatmapCells, DataFrameType.HeatmapRows, 'goroutine-grid', 'heat-difference'];

/** Offers the panel for frames of heat: as it is, with shares of columns, and with series added up. */
export const suggest: VisualizationSuggestionsSupplier<Options> = ({ rawFrames = [], hasData }) => {
  const heats = rawFrames.filter(
    (frame) => frame.length > 0 && ((frame.meta?.type && types.includes(frame.meta.type)) || isEvents(frame))
  );
  if (!hasData || heats.length === 0) {
    return undefined;
  }
  // As it is drawn in a card, there is room for the heat alone.
  const card: VisualizationSuggestion<Options> = {
    cardOptions: {
      previewModifier: ({ options }) => {
        Object.assign(options!, { legend: { show: false }, yAxis: { ...options!.yAxis, placement: 'hidden' } });
      },
    },
  };
  const cells = heats.filter(({ meta }) => meta?.type === DataFrameType.HeatmapCells).length;
  return [
    { ...card, score: VisualizationSuggestionScore.Best },
    ...(cells > 0 ? [{ ...card, name: 'Heat: share of column', options: shares }] : []),
    ...(cells > 1 ? [{ ...card, name: 'Heat: series added up', options: added }] : []),
  ];
};

// Grafana fills in what is not said.
const shares = { color: { measure: 'share' } } as Partial<Options>;
const added = { series: 'sum' } as Partial<Options>;
