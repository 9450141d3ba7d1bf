// The Go processes that the agent sees: what is watched of each, or why it is not.
import { css } from '@emotion/css';
import { useEffect, useState } from 'react';
import { GrafanaTheme2 } from '@grafana/data';
import { Drawer, useStyles2 } from '@grafana/ui';

interface Process {
  id: string;
  pid: number;
  executable: string;
  service: string;
  version: string;
  goVersion: string;
  refused?: string;
  cost?: { ratio: number; budget: number; cpus: number; heat: string };
  points: Array<{ pom: string; state: string; reason?: string; hits: number }>;
}

interface Answer {
  processes: Process[];
  notices?: string[];
}

const every = 2000;

export function Processes({ onClose }: { onClose: () => void }) {
  const styles = useStyles2(look);
  const [answer, setAnswer] = useState<Answer | string>('Asking the agent…');
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      const next = await listProcesses();
      if (!over) {
        setAnswer(next);
        timer = setTimeout(ask, every);
      }
    };
    void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  return (
    <Drawer title="Processes" subtitle="Go processes that the agent sees" onClose={onClose}>
      {typeof answer === 'string' ? (
        <p>{answer}</p>
      ) : (
        <>
          {answer.notices?.map((notice) => (
            <p key={notice}>{notice}</p>
          ))}
          {answer.processes.length === 0 && <p>The agent sees no Go process.</p>}
          {answer.processes.map((process) => (
            <section key={process.id} className={styles.process} aria-label={process.service}>
              <h3 className={styles.name}>
                {process.service} {process.version}
              </h3>
              <p className={styles.about}>
                pid {process.pid}, {process.goVersion}, {process.executable}
              </p>
              {process.cost && (
                <p className={styles.about}>
                  Watching costs {percent(process.cost.ratio)} of its {process.cost.cpus.toFixed(2)} CPUs, the budget is{' '}
                  {percent(process.cost.budget)}. It is {process.cost.heat}.
                </p>
              )}
              {process.refused ? (
                <p className={styles.refused}>Not watched: {process.refused}</p>
              ) : (
                <table className={styles.points}>
                  <thead>
                    <tr>
                      <th>Measurement point</th>
                      <th>State</th>
                      <th>Hits</th>
                    </tr>
                  </thead>
                  <tbody>
                    {process.points.map(({ pom, state, reason, hits }) => (
                      <tr key={pom}>
                        <td>{pom}</td>
                        <td className={state === 'refused' || state === 'shed' ? styles.refused : undefined}>
                          {state}
                          {reason && `: ${reason}`}
                        </td>
                        <td>{hits.toLocaleString('en')}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )}
            </section>
          ))}
        </>
      )}
    </Drawer>
  );
}

const percent = (ratio: number) => `${(100 * ratio).toFixed(2)} %`;

async function listProcesses(): Promise<Answer | string> {
  try {
    const response = await fetch('api/resources/processes');
    const body = await response.json();
    return response.ok ? body : (body.error ?? body.message);
  } catch {
    return 'The workbench itself does not answer: is it running?';
  }
}

const look = (theme: GrafanaTheme2) => ({
  process: css({ marginBottom: theme.spacing(3) }),
  name: css({ fontSize: theme.typography.h5.fontSize, margin: 0 }),
  about: css({ color: theme.colors.text.secondary, overflowWrap: 'anywhere' }),
  refused: css({ color: theme.colors.warning.text }),
  points: css({
    width: '100%',
    'th, td': {
      padding: theme.spacing(0.5, 1),
      textAlign: 'left',
      borderBottom: `1px solid ${theme.colors.border.weak}`,
      verticalAlign: 'top',
    },
    'th:last-child, td:last-child': { textAlign: 'right', fontVariantNumeric: 'tabular-nums' },
  }),
});
