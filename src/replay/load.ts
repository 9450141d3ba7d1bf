import { Go, url } from '../../pkg/heat/replay/main.go?go';
import { HeatProgram } from './program';

/** Fetches the program and starts it. This module is large with it: import it when it is needed. */
export async function load(): Promise<HeatProgram> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`fetch ${url}: ${(error as Error).message}`);
  });
  if (!response.ok) {
    throw new Error(`fetch ${url}: ${response.status} ${response.statusText}`);
  }
  return HeatProgram.start(new Go(), await response.arrayBuffer());
}
