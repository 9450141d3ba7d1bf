// Grafana Live over the workbench's one stream of Server-Sent Events.
import {
  DataFrameJSON,
  DataQueryResponse,
  LiveChannelAddress,
  LiveChannelPresenceStatus,
  LoadingState,
  StreamingDataFrame,
  toLiveChannelId,
} from '@grafana/data';
import { GrafanaLiveSrv, LiveDataStreamOptions } from '@grafana/runtime';
import { BehaviorSubject, NEVER, Observable } from 'rxjs';

interface Channel {
  data: unknown;
  listeners: Set<Listener>;
  /** The newest packets, for who joins between a query and the packets that follow it. */
  recent: DataFrameJSON[];
  leaving?: ReturnType<typeof setTimeout>;
}

/** How many packets a channel remembers. */
const remembered = 20;

/** How long a channel stays open that nobody wants, in ms: as long as asking a query anew may take. */
const lingering = 5000;

interface Listener {
  frame(frame: DataFrameJSON): void;
  /** Frames may be missing since the last one. */
  gap(error: string): void;
}

let lastKey = 0;

class Live implements GrafanaLiveSrv {
  private readonly connected = new BehaviorSubject(false);
  private readonly channels = new Map<string, Channel>();
  private events?: EventSource;
  private session?: string;
  private telling = false;

  getConnectionState(): Observable<boolean> {
    return this.connected;
  }

  getStream<T>(): Observable<T> {
    // Nothing but data frames is streamed here.
    return NEVER;
  }

  getPresence(): Promise<LiveChannelPresenceStatus> {
    return Promise.reject(new Error('the workbench does not know who is present'));
  }

  publish(): Promise<unknown> {
    return Promise.reject(new Error('the workbench publishes nothing'));
  }

  getDataStream({ addr, frame: initial, buffer }: LiveDataStreamOptions): Observable<DataQueryResponse> {
    return new Observable((subscriber) => {
      lastKey += 1;
      const key = `live-${lastKey}`;
      const frame = initial ? StreamingDataFrame.fromDataFrameJSON(initial, buffer) : StreamingDataFrame.empty(buffer);
      const emit = (error?: string) =>
        subscriber.next({
          key,
          state: error ? LoadingState.Error : LoadingState.Streaming,
          data: [frame],
          ...(error && { error: { message: `Live: ${error}` } }),
        });
      if (initial) {
        emit();
      }
      const push = (packet: DataFrameJSON) => {
        frame.push(packet);
        emit();
      };
      const [leave, recent] = this.join(addr, { frame: push, gap: emit });
      const newest: number = frame.fields[0]?.values.at(-1) ?? -Infinity;
      recent.filter(({ data }) => Number(data?.values[0]?.[0] ?? -Infinity) > newest).forEach(push);
      return leave;
    });
  }

  private join(addr: LiveChannelAddress, listener: Listener): [leave: () => void, recent: DataFrameJSON[]] {
    const id = toLiveChannelId(addr);
    const channel = this.channels.get(id) ?? { data: addr.data, listeners: new Set(), recent: [] };
    clearTimeout(channel.leaving);
    channel.listeners.add(listener);
    if (!this.channels.has(id)) {
      this.channels.set(id, channel);
      this.tell();
    }
    const leave = () => {
      channel.listeners.delete(listener);
      if (channel.listeners.size > 0) {
        return;
      }
      channel.leaving = setTimeout(() => {
        this.channels.delete(id);
        this.tell();
      }, lingering);
    };
    return [leave, channel.recent];
  }

  /** Tells the server the channels that are wanted, once for all that change together. */
  private tell() {
    this.connect();
    if (this.telling) {
      return;
    }
    this.telling = true;
    setTimeout(async () => {
      this.telling = false;
      if (!this.session) {
        return; // The session's first event tells.
      }
      const channels = [...this.channels].map(([id, { data }]) => ({ id, data }));
      const response = await fetch(`api/live/${this.session}`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ channels }),
      }).catch(() => undefined); // The stream's own error says that the server is gone.
      if (response && !response.ok && response.status !== 404) {
        const { message } = await response.json();
        this.channels.forEach(({ listeners }) => listeners.forEach((listener) => listener.gap(message)));
      }
    }, 0);
  }

  private connect() {
    if (this.events) {
      return;
    }
    const events = new EventSource('api/live');
    this.events = events;
    events.addEventListener('session', ({ data }) => {
      this.session = JSON.parse(data).id;
      this.connected.next(true);
      this.tell();
    });
    events.addEventListener('frame', ({ data }) => {
      const { channel, frame } = JSON.parse(data);
      const joined = this.channels.get(channel);
      if (joined) {
        joined.recent.push(frame);
        joined.recent.splice(0, joined.recent.length - remembered);
        joined.listeners.forEach((listener) => listener.frame(frame));
      }
    });
    events.addEventListener('gap', ({ data }) => {
      const { channel, error } = JSON.parse(data);
      this.channels.get(channel)?.listeners.forEach((listener) => listener.gap(error));
    });
    // The browser connects again by itself, and gets a new session.
    events.addEventListener('error', () => {
      this.session = undefined;
      this.connected.next(false);
    });
  }
}

export const live = new Live();
