import { InvalidArgumentError, Option } from "commander";

/** The server's limit for one page. */
export const MAX_PAGE = 500;

interface Page<Node> {
  nodes: Node[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export interface PagingOptions {
  first: number;
  after?: string;
  all?: boolean;
}

export const pagingOptions = (): Option[] => [
  new Option("--first <n>", "how many, 1 to 500").default(50).argParser(wholeNumber(1, MAX_PAGE)),
  new Option("--after <cursor>", "continue after this cursor, `pageInfo.endCursor` of --json"),
  new Option("--all", "every page"),
];

/** One page, or with `--all` the whole list as one page. */
export async function readPages<Node>(
  { first, after, all }: PagingOptions,
  read: (page: { first: number; after?: string }) => Promise<Page<Node>>,
): Promise<Page<Node>> {
  const page = await read({ first: all ? MAX_PAGE : first, after });
  while (all && page.pageInfo.hasNextPage) {
    const next = await read({ first: MAX_PAGE, after: page.pageInfo.endCursor ?? undefined });
    page.nodes.push(...next.nodes);
    page.pageInfo = next.pageInfo;
  }
  return page;
}

/** What the table does not show, or undefined. */
export const more = ({ nodes, totalCount, pageInfo }: Page<unknown>): string | undefined =>
  pageInfo.hasNextPage ? `${nodes.length} of ${totalCount} shown; --all shows every one.` : undefined;

export const wholeNumber = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`);
};

/** `10m`, as the server takes it; how long it may be is the server's to say. */
export function duration(text: string): string {
  if (/^\d{1,9}(ms|s|m|h|d)$/.test(text)) return text;
  throw new InvalidArgumentError("Write it like 30s, 10m, 2h or 90d.");
}

/** `--option a,b` and `--option a --option b`, each one of `allowed`, in any case. */
export const oneOrMore =
  <Value extends string>(allowed: readonly Value[]) =>
  (text: string, previous: Value[] = []): Value[] => {
    const values = text.split(",").map((part) => part.trim().toUpperCase().replaceAll("-", "_") as Value);
    const wrong = values.find((value) => !allowed.includes(value));
    if (wrong !== undefined) throw new InvalidArgumentError(`Allowed are ${allowed.join(", ")}.`);
    return [...previous, ...values];
  };

/** `--option` with one of `allowed`, in any case. */
export const one =
  <Value extends string>(allowed: readonly Value[]) =>
  (text: string): Value =>
    oneOrMore(allowed)(text.replaceAll(",", " "))[0]!;

/** `name=value`, repeatable. */
export function label(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Write it as name=value.");
  return { ...previous, [name]: value };
}
