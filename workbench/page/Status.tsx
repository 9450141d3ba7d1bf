// One line that says how the agent does and what it sees, or what the page waits for.
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { Icon, useStyles2 } from '@grafana/ui';
import { Health, useHealth } from './health';

export function Status() {
  const styles = useStyles2(look);
  const health = useHealth();
  const { message, status, plugin } = health;
  return (
    <p className={styles.line} role="status">
      <Icon name={icons[status]} className={styles[status]} aria-hidden />
      <span>
        {message}
        {plugin &&
          plugin.deaths > 0 &&
          ` The back end was started again ${plugin.deaths} ${plugin.deaths === 1 ? 'time' : 'times'}.`}
      </span>
    </p>
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
    margin: 0,
    color: theme.colors.text.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  OK: css({ color: theme.colors.success.text }),
  ERROR: css({ color: theme.colors.warning.text }),
  UNKNOWN: css({ color: theme.colors.text.disabled }),
});
