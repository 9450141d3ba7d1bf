// The model of a dashboard's JSON, as far as the workbench shows it, and how
// its panels come to lie.
import { DataQuery, DataTransformerConfig, FieldConfigSource } from '@grafana/data';

export interface GridPos {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface PanelModel {
  id: number;
  type: string;
  title?: string;
  description?: string;
  gridPos: GridPos;
  transparent?: boolean;
  datasource?: unknown;
  targets?: Array<DataQuery & Record<string, unknown>>;
  options?: Record<string, unknown>;
  fieldConfig?: FieldConfigSource;
  transformations?: DataTransformerConfig[];
  interval?: string;
  maxDataPoints?: number;
  pluginVersion?: string;
  /** Of a row that is collapsed. */
  panels?: PanelModel[];
  collapsed?: boolean;
}

export interface VariableModel {
  name: string;
  type: 'query' | 'custom' | 'constant' | 'textbox' | 'interval' | 'datasource' | (string & {});
  label?: string;
  description?: string;
  query?: unknown;
  definition?: string;
  current?: { value?: string | string[] };
  options?: Array<{ value: string | string[] }>;
  regex?: string;
  sort?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  /** 0: shown, 1: without its label, 2: not at all. */
  hide?: number;
}

export interface AnnotationModel {
  name: string;
  enable?: boolean;
  hide?: boolean;
  iconColor?: string;
  builtIn?: number;
  datasource?: unknown;
  target?: Record<string, unknown>;
}

export interface Dashboard {
  uid: string;
  title: string;
  description?: string;
  panels?: PanelModel[];
  templating?: { list?: VariableModel[] };
  annotations?: { list?: AnnotationModel[] };
  time?: { from: string; to: string };
  refresh?: string | false;
  timezone?: string;
  /** Shared cursor: 0 off, 1 crosshair, 2 crosshair and tooltip. */
  graphTooltip?: number;
}

/** One file of the dashboards' directory, as the server lists it. */
export interface DashboardFile {
  file: string;
  dashboard?: Dashboard;
  error?: string;
}

/** Panels under the row that heads them; those above the first row have none. */
export interface Section {
  row?: PanelModel;
  panels: PanelModel[];
}

/** Splits a dashboard's panels at its rows. */
export function sections(dashboard: Dashboard): Section[] {
  const result: Section[] = [{ panels: [] }];
  for (const panel of dashboard.panels ?? []) {
    if (panel.type === 'row') {
      result.push({ row: panel, panels: [...(panel.panels ?? [])] });
    } else {
      result.at(-1)!.panels.push(panel);
    }
  }
  return result.filter(({ row, panels }) => row || panels.length > 0);
}

const columns = 24;
const cellHeight = 30;
const gap = 8;

export interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Where a panel lies in its section, in pixels, as in Grafana's grid of 24 columns. */
export function place({ x, y, w, h }: GridPos, topRow: number, width: number): Place {
  const column = (width - gap * (columns - 1)) / columns;
  return {
    left: Math.round(x * (column + gap)),
    top: (y - topRow) * (cellHeight + gap),
    width: Math.round(w * column + (w - 1) * gap),
    height: h * cellHeight + (h - 1) * gap,
  };
}
