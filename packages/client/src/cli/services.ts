import { Command } from "commander";
import { ServicesDocument } from "../generated/graphql.js";
import { action } from "./cli.js";
import { more, type PagingOptions, pagingOptions, readPages } from "./paging.js";
import { list } from "./words.js";

export function servicesCommand(): Command {
  const command = new Command("list")
    .description("the service catalogue")
    .option("--search <text>", "words in the name");
  for (const option of pagingOptions()) command.addOption(option);
  command.action(
    action<[], PagingOptions & { search?: string }>(async ({ client, out }, options) => {
      const page = await readPages(
        options,
        async (paging) => (await client.request(ServicesDocument, { search: options.search, ...paging })).services,
      );
      if (out.json) return out.document(page);
      out.table(
        ["NAME", "OWNER", "DEPENDS ON", "LABELS", "DESCRIPTION"],
        page.nodes.map((service) => [
          service.name,
          service.owner ?? "-",
          service.dependsOn.map(({ name }) => name).join(", ") || "-",
          list(service.labels),
          service.description,
        ]),
        "No services.",
      );
      const rest = more(page);
      if (rest) out.say(rest);
    }),
  );
  return new Command("services").description("see the service catalogue").addCommand(command);
}
