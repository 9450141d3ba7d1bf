import { useEffect, useState } from 'react';
import { locationUtil } from '@grafana/data';
import { getBackendSrv, getDataSourceSrv, PluginPage } from '@grafana/runtime';
import { Alert, LinkButton, LoadingPlaceholder, Stack, Text, TextLink } from '@grafana/ui';

/** The tag of the dashboards that show heat. */
const tag = 'gotherm';

interface Found {
  uid: string;
  title: string;
  url: string;
}

/** Where a user of the app begins: the dashboards that show heat, and the data sources that have it. */
export function Overview() {
  const [dashboards, setDashboards] = useState<Found[]>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    getBackendSrv()
      .get<Found[]>('/api/search', { type: 'dash-db', tag })
      .then(setDashboards, (error) => setProblem(error?.data?.message ?? 'Grafana does not answer'));
  }, []);
  const sources = getDataSourceSrv().getList({ pluginId: 'gotherm-runtime-datasource' });

  return (
    <PluginPage>
      <Stack direction="column" gap={3}>
        <Text element="h2">Dashboards</Text>
        {problem && <Alert severity="error" title={`Dashboards could not be listed: ${problem}`} />}
        {!dashboards && !problem && <LoadingPlaceholder text="Looking for dashboards" />}
        {dashboards?.length === 0 && <Text color="secondary">No dashboard has the tag {tag}.</Text>}
        <Stack wrap="wrap">
          {dashboards?.map(({ uid, title, url }) => (
            <LinkButton key={uid} href={url} icon="apps" variant="secondary">
              {title}
            </LinkButton>
          ))}
        </Stack>
        <Text element="h2">Data sources</Text>
        {sources.length === 0 && (
          <Text color="secondary">
            None yet. <TextLink href="/connections/datasources/gotherm-runtime-datasource">Add one</TextLink> with the
            address of a gotherm-agent.
          </Text>
        )}
        <Stack wrap="wrap">
          {sources.map(({ uid, name }) => (
            <LinkButton key={uid} href={exploreUrl(uid)} icon="compass" variant="secondary">
              Explore {name}
            </LinkButton>
          ))}
        </Stack>
      </Stack>
    </PluginPage>
  );
}

function exploreUrl(datasource: string): string {
  const panes = { heat: { datasource, queries: [{ refId: 'A', datasource: { uid: datasource } }] } };
  return locationUtil.assureBaseUrl(`/explore?schemaVersion=1&panes=${encodeURIComponent(JSON.stringify(panes))}`);
}
