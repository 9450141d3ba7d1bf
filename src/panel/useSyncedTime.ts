import { useCallback, useEffect, useRef, useState } from 'react';
import { DataHoverClearEvent, DataHoverEvent, type EventBus } from '@grafana/data';

/**
 * Keeps the cursor in step with other panels: tells them the time that is
 * pointed at here, and returns the time that is pointed at there.
 */
export function useSyncedTime(eventBus: EventBus, isOn: boolean) {
  const [theirs, setTheirs] = useState<number>();
  // What was published here comes back here.
  const ours = useRef(new Set<unknown>());

  useEffect(() => {
    if (!isOn) {
      return undefined;
    }
    const hover = eventBus.getStream(DataHoverEvent).subscribe((event) => {
      if (!ours.current.delete(event.payload)) {
        setTheirs(event.payload.point?.time ?? undefined);
      }
    });
    const clear = eventBus.getStream(DataHoverClearEvent).subscribe(() => setTheirs(undefined));
    return () => {
      hover.unsubscribe();
      clear.unsubscribe();
      setTheirs(undefined);
    };
  }, [eventBus, isOn]);

  const publish = useCallback(
    (time: number | undefined) => {
      if (!isOn) {
        return;
      }
      if (time === undefined) {
        eventBus.publish(new DataHoverClearEvent());
        return;
      }
      const payload = { point: { time } };
      ours.current.add(payload);
      eventBus.publish(new DataHoverEvent(payload));
      ours.current.delete(payload);
    },
    [eventBus, isOn]
  );

  return { theirs, publish };
}
