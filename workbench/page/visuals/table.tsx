// The first frame, as Grafana's table.
import { PanelPlugin, PanelProps } from '@grafana/data';
import { Table } from '@grafana/ui';
import { PanelDataErrorView } from '../NoData';

function TablePanel({ data, width, height, id, title }: PanelProps) {
  const frame = data.series[0];
  if (!frame || frame.length === 0) {
    return <PanelDataErrorView panelId={id} data={data} />;
  }
  return <Table data={frame} width={width} height={height} ariaLabel={title} />;
}

export const table = new PanelPlugin(TablePanel).useFieldConfig();
