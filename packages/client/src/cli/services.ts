import { Command } from "commander";
import { ServicesDocument } from "../generated/graphql.js";
import { listing } from "./paging.js";
import { list } from "./words.js";

export const servicesCommand = (): Command =>
  new Command("services").description("see the service catalogue").addCommand(listCommand());

const listCommand = (): Command =>
  listing(new Command("list").description("the service catalogue").option("--search <text>", "words in the name"), {
    query:
      ({ client }, { search }: { search?: string }) =>
      async (page) =>
        (await client.request(ServicesDocument, { search, ...page })).services,
    show: (out, services) =>
      out.table(
        ["NAME", "OWNER", "DEPENDS ON", "LABELS", "DESCRIPTION"],
        services.map((service) => [
          service.name,
          service.owner ?? "-",
          service.dependsOn.map(({ name }) => name).join(", ") || "-",
          list(service.labels),
          service.description,
        ]),
        "No services.",
      ),
  });
