// How the back end and its agent do, asked again and again.
import { useEffect, useState } from 'react';

export interface Health {
  status: 'OK' | 'ERROR' | 'UNKNOWN';
  message: string;
  details?: unknown;
  plugin?: { running: boolean; deaths: number; failure?: string };
}

const every = 5000;

export function useHealth(): Health {
  const [health, setHealth] = useState<Health>({ status: 'UNKNOWN', message: 'Asking the agent…' });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let over = false;
    const ask = async () => {
      const next = await fetch('api/health').then(
        (response): Promise<Health> => response.json(),
        (): Health => ({ status: 'ERROR', message: 'The workbench itself does not answer: is it running?' })
      );
      if (!over) {
        setHealth(next);
        timer = setTimeout(ask, every);
      }
    };
    void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  return health;
}
