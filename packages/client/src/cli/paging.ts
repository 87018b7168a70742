import { Option } from "commander";
import { wholeNumber } from "./option-values.js";

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
