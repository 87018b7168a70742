/** What `GET /metrics` says, read as a scraper reads it. */
export interface Scrape {
  contentType: string;
  text: string;
  /** In the order of the page. */
  families: { name: string; type: string; help: string }[];
  /** The sample with exactly these labels, in any order. */
  value(name: string, labels?: Record<string, string>): number | undefined;
}

export async function scrape(url: string, accept = "text/plain"): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`, { headers: { accept } });
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
  const text = await response.text();
  const samples = [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, labels = "", value]) => ({
    name,
    labels: sorted([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label!, text!])),
    value: Number(value),
  }));
  return {
    contentType: response.headers.get("content-type")!,
    text,
    families: [...text.matchAll(/^# HELP (\w+) (.*)\n# TYPE \w+ (\w+)$/gm)].map(([, name, help, type]) => ({
      name: name!,
      type: type!,
      help: help!,
    })),
    value: (name, labels = {}) =>
      samples.find((sample) => sample.name === name && sample.labels === sorted(Object.entries(labels)))?.value,
  };
}

const sorted = (labels: [string, string][]): string => JSON.stringify(labels.sort(([a], [b]) => (a < b ? -1 : 1)));
