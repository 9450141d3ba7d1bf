import { AppPlugin } from '@grafana/data';
import { Overview } from './Overview';

export const plugin = new AppPlugin().setRootPage(Overview);
