import { css, cx } from '@emotion/css';
import { type ComponentType, useEffect, useMemo, useRef, useState } from 'react';
import {
  type DataFrame,
  dateTime,
  dateTimeFormat,
  type GrafanaTheme2,
  LoadingState,
  type PanelProps,
} from '@grafana/data';
import { Button, PanelContextProvider, usePanelContext, useStyles2 } from '@grafana/ui';
import { readHeats } from '../panel/frames';
import type { Options } from '../panel/options';
import { download, fileName } from '../panel/photo';
import { describeTimes } from '../panel/words';
import { FilesContext } from './files';
import type { HeatProgram } from './program';
import { type Range, Replay } from './replay';
import { extension, open, write } from './saved';

/** Fetches and starts the program, which is large: only when it is needed. */
const start = async (): Promise<HeatProgram> => (await import('./load')).load();

const barHeight = 32;

/** A heat panel that can show saved heat in the place of its data: then it asks no back end, also when it is zoomed. */
export function replayed(Panel: ComponentType<PanelProps<Options>>) {
  return function ReplayedPanel(props: PanelProps<Options>) {
    const { title, data, width, height, timeZone } = props;
    const styles = useStyles2(getStyles);
    const context = usePanelContext();
    const input = useRef<HTMLInputElement>(null);
    const [replay, setReplay] = useState<Replay>();
    const [range, setRange] = useState<Range>();
    const [opening, setOpening] = useState<string>();
    const [problem, setProblem] = useState<string>();
    useEffect(() => () => replay?.close(), [replay]);

    const files = useMemo(() => {
      const save = async () => {
        try {
          const heats = readHeats(data.series, data.request?.intervalMs ?? 1000);
          const program = await start();
          const now = new Date();
          const text = write(title, heats, now, (counts) => program.press(counts));
          const file = new Blob([text], { type: 'application/json' });
          download(input.current!.ownerDocument, file, fileName(title, now, extension));
          setProblem(undefined);
        } catch (error) {
          setProblem(messageOf(error));
        }
      };
      // Saved heat that is open is in a file already.
      return { save: replay ? undefined : save, open: () => input.current?.click() };
    }, [data, title, replay]);

    const show = async (file: File) => {
      setProblem(undefined);
      setOpening(file.name);
      try {
        const saved = await open(file);
        const opened = new Replay(await start(), saved);
        setReplay(opened);
        setRange(opened.range);
      } catch (error) {
        setProblem(`${file.name} can't be opened: ${messageOf(error)}`);
      } finally {
        setOpening(undefined);
      }
    };

    const [frames, fault] = useMemo((): [frames: DataFrame[], fault?: string] => {
      try {
        return [replay && range ? replay.show(range, width) : []];
      } catch (error) {
        return [[], messageOf(error)];
      }
    }, [replay, range, width]);

    let panel = props;
    const wrong = problem ?? fault;
    let text = wrong ?? (opening && `Opening ${opening}…`);
    if (replay && range) {
      const [from, to] = [dateTime(range.from), dateTime(range.to)];
      const timeRange = { from, to, raw: { from, to } };
      const shown = { state: LoadingState.Done, series: frames, annotations: [], timeRange };
      panel = { ...props, data: shown, timeRange, onChangeTimeRange: setRange };
      const saved = dateTimeFormat(replay.saved, { timeZone });
      text ??= `${replay.title || 'Heat'}, ${describeTimes(replay.range, timeZone)}, as saved at ${saved}`;
    }
    if (text) {
      panel = { ...panel, height: Math.max(0, height - barHeight) };
    }
    return (
      <FilesContext.Provider value={files}>
        <input
          ref={input}
          type="file"
          hidden
          accept={`${extension},application/json`}
          aria-label="Saved heat"
          onChange={({ currentTarget }) => {
            const [file] = currentTarget.files ?? [];
            currentTarget.value = '';
            if (file) {
              void show(file);
            }
          }}
        />
        {text && (
          <div className={styles.bar} data-testid="heat replay">
            <span role={wrong ? 'alert' : 'status'} className={cx(styles.text, wrong && styles.wrong)} title={text}>
              {text}
            </span>
            {replay && range !== replay.range && (
              <Button size="sm" variant="secondary" onClick={() => setRange(replay.range)}>
                Show all of it
              </Button>
            )}
            {problem ? (
              <Button size="sm" variant="secondary" onClick={() => setProblem(undefined)}>
                Dismiss
              </Button>
            ) : (
              replay && (
                <Button size="sm" variant="secondary" onClick={() => setReplay(undefined)}>
                  Back to the data
                </Button>
              )
            )}
          </div>
        )}
        {/* What is selected of saved heat is no range of the dashboard's. */}
        <PanelContextProvider value={replay ? { ...context, onSelectRange: undefined } : context}>
          <Panel {...panel} />
        </PanelContextProvider>
      </FilesContext.Provider>
    );
  };
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

const getStyles = (theme: GrafanaTheme2) => ({
  bar: css({ display: 'flex', alignItems: 'center', gap: theme.spacing(1), height: barHeight, overflow: 'hidden' }),
  text: css({
    flex: 1,
    minWidth: 0,
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  wrong: css({ color: theme.colors.error.text }),
});
