// One line that says how the agent does and what it sees, or what the page waits for.
import { css } from '@emotion/css';
import { useState } from 'react';
import { GrafanaTheme2 } from '@grafana/data';
import { Button, Icon, useStyles2 } from '@grafana/ui';
import { Health, useHealth } from './health';
import { Processes } from './Processes';

export function Status() {
  const styles = useStyles2(look);
  const { message, status, plugin } = useHealth();
  const [isOpen, setOpen] = useState(false);
  const times = plugin?.deaths === 1 ? 'once' : `${plugin?.deaths} times`;
  return (
    <div className={styles.line}>
      <Icon name={icons[status]} className={styles[status]} aria-hidden />
      <span role="status">
        {message}
        {plugin && plugin.deaths > 0 && ` The back end died and was started again ${times}.`}
      </span>
      <Button size="sm" fill="text" variant="secondary" onClick={() => setOpen(true)}>
        Processes
      </Button>
      {isOpen && <Processes onClose={() => setOpen(false)} />}
    </div>
  );
}

const icons: Record<Health['status'], 'check-circle' | 'exclamation-triangle' | 'clock-nine'> = {
  OK: 'check-circle',
  ERROR: 'exclamation-triangle',
  UNKNOWN: 'clock-nine',
};

const look = (theme: GrafanaTheme2) => ({
  line: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(0.5),
    color: theme.colors.text.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  OK: css({ color: theme.colors.success.text }),
  ERROR: css({ color: theme.colors.warning.text }),
  UNKNOWN: css({ color: theme.colors.text.disabled }),
});
