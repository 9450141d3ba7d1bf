// The styles that Grafana's page has and its components take for granted.
import { Global } from '@emotion/react';
import { GlobalStyles, useTheme2 } from '@grafana/ui';

export function Look() {
  const theme = useTheme2();
  return (
    <>
      <GlobalStyles />
      <Global styles={{ body: { margin: 0, background: theme.colors.background.canvas, overflowY: 'scroll' } }} />
    </>
  );
}
