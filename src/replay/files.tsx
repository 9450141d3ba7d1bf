import { css } from '@emotion/css';
import { createContext, useContext } from 'react';
import type { GrafanaTheme2 } from '@grafana/data';
import { Button, Menu, useStyles2 } from '@grafana/ui';

/** What a panel offers: to save its heat as a file, if it has any of its own, and to open such a file in its place. */
export interface Files {
  save?: () => void;
  open: () => void;
}

export const FilesContext = createContext<Files | undefined>(undefined);

/** Both, as items of the panel's menu. */
export function FileItems() {
  const files = useContext(FilesContext);
  return files ? (
    <>
      {files.save && <Menu.Item label="Save heat" icon="save" onClick={files.save} />}
      <Menu.Item label="Open saved heat…" icon="folder-open" onClick={files.open} />
    </>
  ) : null;
}

/** Opens saved heat where there is no other, and no menu. */
export function OpenButton() {
  const files = useContext(FilesContext);
  const styles = useStyles2(getStyles);
  return files ? (
    <Button className={styles.button} size="sm" variant="secondary" fill="text" icon="folder-open" onClick={files.open}>
      Open saved heat…
    </Button>
  ) : null;
}

const getStyles = (theme: GrafanaTheme2) => ({
  button: css({ position: 'absolute', right: theme.spacing(1), bottom: theme.spacing(1) }),
});
