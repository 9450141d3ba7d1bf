// Grafana's text panel: Markdown, or HTML made harmless.
import { PanelPlugin, PanelProps, renderTextPanelMarkdown, textUtil } from '@grafana/data';
import { ScrollContainer } from '@grafana/ui';

interface Options {
  mode?: 'markdown' | 'html' | 'code';
  content?: string;
}

function TextPanel({
  options: { mode = 'markdown', content = '' },
  replaceVariables,
  width,
  height,
}: PanelProps<Options>) {
  const text = replaceVariables(content, {}, 'html');
  if (mode === 'code') {
    return <pre style={{ width, height }}>{text}</pre>;
  }
  // Both are sanitised: nothing in a dashboard can run.
  const html = mode === 'markdown' ? renderTextPanelMarkdown(text) : textUtil.sanitizeTextPanelContent(text);
  return (
    <div style={{ width, height }}>
      <ScrollContainer>
        <div className="markdown-html" dangerouslySetInnerHTML={{ __html: html }} />
      </ScrollContainer>
    </div>
  );
}

export const text = new PanelPlugin<Options>(TextPanel);
