import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Dropdown, IconButton, Menu, useStyles2 } from '@grafana/ui';
import { FileItems } from '../replay/files';

interface Props {
  isTable: boolean;
  onTable: (isTable: boolean) => void;
  onPicture: () => void;
}

/** What can be done with the panel as it is seen. It is shown where a pointer or the focus is in the panel. */
export function PanelMenu({ isTable, onTable, onPicture }: Props) {
  const styles = useStyles2(getStyles);
  const overlay = () => (
    <Menu ariaLabel="Heat">
      <Menu.Item
        label={isTable ? 'Show as heatmap' : 'Show as table'}
        icon={isTable ? 'gf-grid' : 'table'}
        onClick={() => onTable(!isTable)}
      />
      <Menu.Item label="Download PNG" icon="camera" onClick={onPicture} />
      <FileItems />
    </Menu>
  );
  return (
    <Dropdown overlay={overlay} placement="bottom-end">
      <IconButton className={`${styles.button} ${menuClass}`} name="ellipsis-h" aria-label="Heat menu" />
    </Dropdown>
  );
}

/** By which the panel around it shows the button. */
export const menuClass = 'heat-menu';

const getStyles = (theme: GrafanaTheme2) => ({
  button: css({
    position: 'absolute',
    top: 0,
    right: 0,
    zIndex: 1,
    margin: 0,
    padding: theme.spacing(0.5),
    height: 'auto',
    width: 'auto',
    borderRadius: theme.shape.radius.default,
    background: theme.colors.background.secondary,
    boxShadow: theme.shadows.z1,
  }),
});
