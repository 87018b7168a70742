import { type Command, Option } from "commander";
import { action, type Cli } from "./cli.js";
import { wholeNumber } from "./option-values.js";
import type { Output } from "./output.js";

/** The server's limit for one page. */
export const MAX_PAGE = 500;

interface Page<Node> {
  nodes: Node[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

interface PagingOptions {
  first: number;
  after?: string;
  all?: boolean;
}

/** Reads the page that begins there. */
type Reader<Node> = (page: { first: number; after?: string }) => Promise<Page<Node>>;

interface Listing<Node, Options, Arguments extends unknown[]> {
  /** Looks up what the options name, once, and returns what reads the pages. */
  query(cli: Cli, options: Options, ...given: Arguments): Reader<Node> | Promise<Reader<Node>>;
  /** For people; with `--json` the page is the answer. */
  show(out: Output, nodes: Node[], options: Options): void;
}

/** Makes a command list: the options of paging, `--json`, and a word about what a table leaves out. */
export function listing<Node, Options = unknown, Arguments extends unknown[] = []>(
  command: Command,
  { query, show }: Listing<Node, Options, Arguments>,
): Command {
  return command
    .addOption(new Option("--first <n>", "how many, 1 to 500").default(50).argParser(wholeNumber(1, MAX_PAGE)))
    .option("--after <cursor>", "continue after this cursor, `pageInfo.endCursor` of --json")
    .option("--all", "every page")
    .action(
      action<Arguments, Options & PagingOptions>(async (cli, options, ...given) => {
        const page = await readPages(options, await query(cli, options, ...given));
        if (cli.out.json) return cli.out.document(page);
        show(cli.out, page.nodes, options);
        const { nodes, totalCount, pageInfo } = page;
        if (pageInfo.hasNextPage) cli.out.say(`${nodes.length} of ${totalCount} shown; --all shows every one.`);
      }),
    );
}

/** One page, or with `--all` the whole list as one page. */
export async function readPages<Node>({ first, after, all }: PagingOptions, read: Reader<Node>): Promise<Page<Node>> {
  const page = await read({ first: all ? MAX_PAGE : first, after });
  while (all && page.pageInfo.hasNextPage) {
    const next = await read({ first: MAX_PAGE, after: page.pageInfo.endCursor ?? undefined });
    page.nodes.push(...next.nodes);
    page.pageInfo = next.pageInfo;
  }
  return page;
}
