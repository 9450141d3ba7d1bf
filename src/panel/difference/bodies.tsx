import { css } from '@emotion/css';
import { type KeyboardEvent, useId, useMemo, useState } from 'react';
import type { GrafanaTheme2, PanelProps } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { Button, useStyles2, useTheme2 } from '@grafana/ui';
import { coloursOf } from '../../renderer';
import type { Annotation } from '../annotations';
import { HeatView } from '../HeatView';
import type { OpenedCell } from '../openedCell';
import type { Options } from '../options';
import { rampOf } from '../picture';
import { type Arm, captionOf, detailsOf, heatsOf, timeOf } from './arms';
import type { Comparison } from './comparison';
import { differenceRamp, mutedColour } from './tones';

/** Height of what is said over the plots, in pixels. */
const captionHeight = 24;

interface Props {
  /** Its width and height are what there is for the plots and what is said over them. */
  panel: PanelProps<Options>;
  comparisons: Comparison[];
  annotations: Annotation[];
  /** Called with a cell that a user wants to see the inside of, and of which side it is; says whether that is shown. */
  onOpenCell?: (cell: OpenedCell, arm?: Arm) => boolean;
}

/** The candidate less the baseline, in the candidate's time. */
export function Difference({ panel, comparisons, annotations, onOpenCell }: Props) {
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const { scheme, reverse, scale } = panel.options.comparison;
  const heats = useMemo(() => comparisons.flatMap(({ difference }) => difference ?? []), [comparisons]);
  const ramp = useMemo(() => differenceRamp(heats, scale), [heats, scale]);
  const colours = useMemo(
    () => coloursOf(scheme, ramp.steps, theme.isDark, reverse),
    [scheme, ramp, theme.isDark, reverse]
  );
  const timeRange = useMemo(() => timeOf(heats), [heats]);
  return (
    <>
      <div className={styles.caption}>
        {(['baseline', 'candidate'] as const).map((arm) => (
          <span
            key={arm}
            className={styles.side}
            style={{ borderColor: colours[arm === 'baseline' ? 0 : colours.length - 1] }}
            title={titleOf(comparisons, arm, panel.timeZone)}
          >
            more in the {arm}: {captionOf(comparisons, arm)}
          </span>
        ))}
        <span className={styles.side} style={{ borderColor: mutedColour(theme) }}>
          not significant
        </span>
      </div>
      <HeatView
        panel={{ ...panel, timeRange, height: panel.height - captionHeight }}
        heats={heats}
        ramp={ramp}
        colours={colours}
        mutedColour={mutedColour(theme)}
        annotations={annotations}
        onOpenCell={onOpenCell && ((cell) => onOpenCell(cell))}
      />
    </>
  );
}

/** The heat of one side, on the colours and the values that both sides share. */
function Side({ arm, panel, comparisons, annotations, onOpenCell }: Props & { arm: Arm }) {
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const { color: chosen, yAxis } = panel.options;
  // Where shares are compared, shares are what is to be seen of the sides: they need not have as many hits.
  const isOfShares = chosen.measure === 'count' && comparisons.every(({ report }) => report.per === 'share');
  const color = useMemo(
    (): Options['color'] => (isOfShares ? { ...chosen, measure: 'share', min: undefined, max: undefined } : chosen),
    [chosen, isOfShares]
  );
  const heats = useMemo(() => heatsOf(comparisons, arm), [comparisons, arm]);
  const both = useMemo(
    () => [...heatsOf(comparisons, 'baseline'), ...heatsOf(comparisons, 'candidate')],
    [comparisons]
  );
  const ramp = useMemo(() => rampOf(both, color, yAxis), [both, color, yAxis]);
  const colours = useMemo(
    () => coloursOf(color.scheme, color.steps, theme.isDark, color.reverse),
    [color, theme.isDark]
  );
  const timeRange = useMemo(() => timeOf(heats), [heats]);
  if (heats.length === 0) {
    return (
      <div className={styles.nothing} style={{ width: panel.width, height: panel.height }}>
        The {arm} has no hits.
      </div>
    );
  }
  return (
    <HeatView
      panel={{ ...panel, timeRange, options: { ...panel.options, color } }}
      heats={heats}
      fit={both}
      ramp={ramp}
      colours={colours}
      annotations={annotations}
      onOpenCell={onOpenCell && ((cell) => onOpenCell(cell, arm))}
    />
  );
}

/** The baseline to the left, the candidate to the right. */
export function SideBySide({ panel, ...props }: Props) {
  const styles = useStyles2(getStyles);
  const half = { ...panel, width: Math.floor(panel.width / 2), height: panel.height - captionHeight };
  return (
    <div className={styles.row}>
      {(['baseline', 'candidate'] as const).map((arm) => (
        <div key={arm}>
          <Caption arm={arm} comparisons={props.comparisons} timeZone={panel.timeZone} />
          <Side arm={arm} panel={half} {...props} />
        </div>
      ))}
    </div>
  );
}

/** One side or the other, in the same place: what moves between them is what differs. */
export function Flip({ panel, ...props }: Props) {
  const styles = useStyles2(getStyles);
  const [shown, setShown] = useState<Arm>('baseline');
  const flip = () => setShown(shown === 'baseline' ? 'candidate' : 'baseline');
  const onKeyDown = (event: KeyboardEvent) => {
    // On the button, the space bar is its own.
    if (event.key === ' ' && !(event.target instanceof HTMLButtonElement)) {
      event.preventDefault();
      flip();
    }
  };
  return (
    <div onKeyDown={onKeyDown}>
      <div className={styles.caption}>
        <Button size="sm" variant="secondary" icon="exchange-alt" onClick={flip}>
          Flip
        </Button>
        <Caption arm={shown} comparisons={props.comparisons} timeZone={panel.timeZone} isLarge />
      </div>
      <Side arm={shown} panel={{ ...panel, height: panel.height - captionHeight }} {...props} />
    </div>
  );
}

/** The candidate over the baseline, as much of each as the slider says. */
export function Blend({ panel, ...props }: Props) {
  const styles = useStyles2(getStyles);
  const [part, setPart] = useState(50);
  const id = useId();
  const inner = { ...panel, height: panel.height - captionHeight };
  const isMostly: Arm = part >= 50 ? 'candidate' : 'baseline';
  return (
    <>
      <div className={styles.caption}>
        <Caption arm="baseline" comparisons={props.comparisons} timeZone={panel.timeZone} />
        <label htmlFor={id} className={styles.unseen}>
          How much of the candidate is shown, in percent
        </label>
        <input
          id={id}
          type="range"
          min={0}
          max={100}
          step={5}
          value={part}
          onChange={(event) => setPart(Number(event.currentTarget.value))}
        />
        <Caption arm="candidate" comparisons={props.comparisons} timeZone={panel.timeZone} />
      </div>
      <div className={styles.stack} style={{ width: panel.width, height: inner.height }}>
        {(['baseline', 'candidate'] as const).map((arm) => (
          <div
            key={arm}
            className={arm === isMostly ? styles.layer : styles.lesserLayer}
            style={{ opacity: arm === 'candidate' ? part / 100 : 1 }}
          >
            <Side arm={arm} panel={inner} {...props} />
          </div>
        ))}
      </div>
    </>
  );
}

interface CaptionProps extends Pick<Props, 'comparisons'> {
  arm: Arm;
  timeZone: TimeZone;
  isLarge?: boolean;
}

function Caption({ arm, comparisons, timeZone, isLarge = false }: CaptionProps) {
  const styles = useStyles2(getStyles);
  return (
    <div
      className={isLarge ? styles.largeName : styles.name}
      title={titleOf(comparisons, arm, timeZone)}
      aria-live={isLarge ? 'polite' : undefined}
    >
      {textOf(comparisons, arm)}
    </div>
  );
}

const textOf = (comparisons: Comparison[], arm: Arm) =>
  `${arm === 'baseline' ? 'Baseline' : 'Candidate'}: ${captionOf(comparisons, arm)}`;

/** All of a caption, which may be cut off, and what it was and when. */
const titleOf = (comparisons: Comparison[], arm: Arm, timeZone: TimeZone) =>
  [textOf(comparisons, arm), detailsOf(comparisons[0].report[arm], timeZone)].filter(Boolean).join('; ');

const getStyles = (theme: GrafanaTheme2) => {
  const name = {
    minWidth: 0,
    lineHeight: `${captionHeight}px`,
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap' as const,
  };
  return {
    row: css({ display: 'flex' }),
    caption: css({
      display: 'flex',
      alignItems: 'center',
      gap: theme.spacing(2),
      height: captionHeight,
      fontSize: theme.typography.bodySmall.fontSize,
      whiteSpace: 'nowrap',
      overflow: 'hidden',
    }),
    side: css({
      paddingLeft: theme.spacing(0.75),
      lineHeight: '12px',
      borderLeft: '12px solid',
      color: theme.colors.text.secondary,
      overflow: 'hidden',
      textOverflow: 'ellipsis',
    }),
    name: css({
      ...name,
      fontSize: theme.typography.bodySmall.fontSize,
      fontWeight: theme.typography.fontWeightMedium,
    }),
    largeName: css({ ...name, fontSize: theme.typography.h4.fontSize, fontWeight: theme.typography.fontWeightMedium }),
    nothing: css({
      display: 'flex',
      alignItems: 'center',
      justifyContent: 'center',
      color: theme.colors.text.secondary,
    }),
    stack: css({ position: 'relative' }),
    layer: css({ position: 'absolute', inset: 0 }),
    // Two axes of time, one over the other, could not be read; and what is pointed at is what is seen most.
    lesserLayer: css({
      position: 'absolute',
      inset: 0,
      pointerEvents: 'none',
      '& [data-testid="column axis"]': { visibility: 'hidden' },
    }),
    unseen: css({ position: 'absolute', clipPath: 'inset(50%)' }),
  };
};
