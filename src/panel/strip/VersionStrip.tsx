import { css } from '@emotion/css';
import { type KeyboardEvent, memo, useId } from 'react';
import { type AbsoluteTimeRange, dateTimeFormat, type GrafanaTheme2 } from '@grafana/data';
import type { TimeZone } from '@grafana/schema';
import { measureText, Tooltip, useStyles2, useTheme2 } from '@grafana/ui';
import { isSame, sideOfVersion } from './choice';
import { type Choosing, nextStep } from './useChoosing';
import { colourNumbers, type Drawn, fitted, type Lane, type Piece, roomiest, type Version } from './versions';

/** Height of one lane, in pixels, with what is left clear below it. */
export const laneHeight = 20;
const gap = 3;
const fontSize = 12;
/** Of a name that has half of a lane. */
const smallFontSize = 9;

/** Few, so that they are told apart easily. */
const colours = ['blue', 'orange', 'green', 'purple', 'yellow', 'red'];

interface Props {
  lanes: Lane[];
  range: AbsoluteTimeRange;
  /** Of the plots below, in pixels: the strip lies over each column of them. */
  lefts: number[];
  width: number;
  timeZone: TimeZone;
  /** Absent where nothing can be compared. */
  choosing?: Choosing;
}

/** Which version ran when, a lane for each service. Two of them, chosen one after the other, are compared. */
export const VersionStrip = memo(function VersionStrip({ lanes, range, lefts, width, timeZone, choosing }: Props) {
  const styles = useStyles2(getStyles);
  return (
    <div role="group" aria-label="Versions" className={styles.strip} data-testid="version strip">
      {lanes.map((lane) => (
        <div key={lane.service} className={styles.lane}>
          {lefts[0] > 0 && (
            <div className={styles.service} style={{ width: lefts[0] }} title={lane.service}>
              {lanes.length > 1 ? lane.service : ''}
            </div>
          )}
          {lefts.map((left, column) => (
            <div
              key={column}
              style={{ marginLeft: column > 0 ? left - lefts[column - 1] - width : 0 }}
              // The same once more, for who looks at the plot below it.
              aria-hidden={column > 0}
            >
              <LaneOfVersions
                lane={lane}
                range={range}
                width={width}
                timeZone={timeZone}
                choosing={choosing}
                isAgain={column > 0}
              />
            </div>
          ))}
        </div>
      ))}
    </div>
  );
});

interface LaneProps extends Pick<Props, 'range' | 'width' | 'timeZone' | 'choosing'> {
  lane: Lane;
  /** Whether it is there already, to be focused. */
  isAgain: boolean;
}

function LaneOfVersions({ lane, range, width, timeZone, choosing, isAgain }: LaneProps) {
  const theme = useTheme2();
  const numbers = colourNumbers(lane, colours.length);
  return (
    <svg
      width={width}
      height={laneHeight}
      overflow="visible"
      role="group"
      aria-label={lane.service ? `Versions of ${lane.service}` : 'Versions of an unnamed service'}
    >
      {lane.versions.map((drawn, i) => (
        <VersionBar
          key={drawn.version.version}
          drawn={drawn}
          range={range}
          width={width}
          timeZone={timeZone}
          choosing={choosing}
          isAgain={isAgain}
          role={roleOf(lane, i, choosing)}
          colour={theme.visualization.getColorByName(colours[numbers[i]])}
        />
      ))}
    </svg>
  );
}

type Role = 'baseline' | 'candidate' | undefined;

/** What a version is in what was chosen, in this panel or by the variables of the dashboard. */
function roleOf({ versions }: Lane, i: number, choosing: Choosing | undefined): Role {
  if (!choosing) {
    return undefined;
  }
  const { choice, variables } = choosing;
  const { version } = versions[i];
  if (choice.baseline || choice.candidate || !variables) {
    const side = sideOfVersion(version);
    return isSame(choice.baseline, side) ? 'baseline' : isSame(choice.candidate, side) ? 'candidate' : undefined;
  }
  const isNamed = (name: string) =>
    name === version.version ||
    (name === '(latest)' && i === versions.length - 1) ||
    (name === '(previous)' && i === versions.length - 2);
  return isNamed(variables.baseline) ? 'baseline' : isNamed(variables.candidate) ? 'candidate' : undefined;
}

interface BarProps extends Omit<LaneProps, 'lane'> {
  drawn: Drawn;
  role: Role;
  colour: string;
}

function VersionBar({ drawn, range, width, timeZone, choosing, isAgain, role, colour }: BarProps) {
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const clip = useId();
  const { version, pieces } = drawn;
  const side = sideOfVersion(version);
  const place = (time: number) => ((time - range.from) / (range.to - range.from)) * width;
  const boxOf = ({ from, to, slot, slots }: Piece) => {
    const height = (laneHeight - gap) / slots;
    return { x: place(from), y: slot * height, width: Math.max(2, place(to) - place(from)), height };
  };
  const room = roomiest(pieces);
  const box = room && boxOf(room);
  const size = room && room.slots > 1 ? smallFontSize : fontSize;
  const name = [role, version.version].filter(Boolean).join(': ');
  const fits = (text: string) => (box ? fitted(text, box.width - 8, (t) => measureText(t, size).width) : '');
  const text = room && room.slots <= 2 ? fits(name) || fits(version.version) : '';

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choosing?.choose(side);
    } else if (event.key === 'Escape' && choosing?.choice.baseline) {
      event.stopPropagation();
      choosing.clear();
    }
  };
  return (
    // A tooltip sets handlers of its own on what it is of.
    <g
      onKeyDown={onKeyDown}
      onClick={() => choosing?.choose(side)}
      onPointerDown={() => choosing?.grab(side)}
      onPointerUp={() => choosing?.drop(side)}
    >
      <Tooltip content={<About version={version} timeZone={timeZone} next={choosing && nextStep(choosing, side)} />}>
        <g
          className={choosing ? styles.chosable : styles.bar}
          tabIndex={isAgain ? undefined : 0}
          role={choosing ? 'button' : 'img'}
          aria-pressed={choosing && role !== undefined}
          aria-label={`${version.service} ${version.version}, ${ranFor(version, timeZone)}${role ? `, ${role}` : ''}`.trim()}
        >
          {pieces.map((piece) => (
            <rect
              key={piece.from}
              {...boxOf(piece)}
              fill={colour}
              fillOpacity={role ? 0.5 : 0.3}
              stroke={role ? theme.colors.text.maxContrast : colour}
              strokeWidth={role ? 1.5 : 1}
            />
          ))}
          {box && text && (
            <>
              <clipPath id={clip}>
                <rect {...box} />
              </clipPath>
              <text
                x={box.x + 4}
                y={box.y + box.height / 2}
                dominantBaseline="central"
                fontSize={size}
                fontWeight={role ? theme.typography.fontWeightMedium : undefined}
                fill={theme.colors.text.primary}
                clipPath={`url(#${clip})`}
              >
                {text}
              </text>
            </>
          )}
        </g>
      </Tooltip>
    </g>
  );
}

function About({ version, timeZone, next }: { version: Version; timeZone: TimeZone; next?: string }) {
  const { service, revision, goVersion, agents } = version;
  const facts = [
    [service, version.version].filter(Boolean).join(' '),
    [revision && `revision ${revision.slice(0, 12)}`, goVersion].filter(Boolean).join(', '),
    ranFor(version, timeZone),
    agents.length > 0 ? `seen by ${agents.join(', ')}` : 'as an annotation says',
  ];
  return (
    <>
      {facts.filter(Boolean).map((fact) => (
        <div key={fact}>{fact}</div>
      ))}
      {next && <em>{next}</em>}
    </>
  );
}

function ranFor({ from, to }: Version, timeZone: TimeZone): string {
  const first = `first seen ${dateTimeFormat(from, { timeZone })}`;
  return Number.isFinite(to) ? `${first}, last seen ${dateTimeFormat(to, { timeZone })}` : `${first}, still running`;
}

const getStyles = (theme: GrafanaTheme2) => {
  const bar = {
    outline: 'none',
    '&:focus-visible rect': { stroke: theme.colors.primary.main, strokeWidth: 2.5 },
  };
  return {
    strip: css({ position: 'relative' }),
    lane: css({ display: 'flex', height: laneHeight }),
    service: css({
      flexShrink: 0,
      paddingRight: theme.spacing(1),
      lineHeight: `${laneHeight - gap}px`,
      fontSize: theme.typography.bodySmall.fontSize,
      textAlign: 'right',
      color: theme.colors.text.secondary,
      overflow: 'hidden',
      textOverflow: 'ellipsis',
      whiteSpace: 'nowrap',
    }),
    bar: css(bar),
    chosable: css({ ...bar, cursor: 'pointer', userSelect: 'none', '&:hover rect': { fillOpacity: 0.5 } }),
  };
};
