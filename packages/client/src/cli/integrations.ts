import { Command, InvalidArgumentError, Option } from "commander";
import { unwrap } from "../error.js";
import {
  CreateIntegrationDocument,
  IncidentCategory,
  IntegrationKind,
  IntegrationsDocument,
  RevokeIntegrationDocument,
  Severity,
} from "../generated/graphql.js";
import { action } from "./cli.js";
import { integrationId, serviceId } from "./lookup.js";
import { label, listed, one, wordOf } from "./option-values.js";
import { listing } from "./paging.js";
import { list, when } from "./words.js";

export const integrationsCommand = (): Command =>
  new Command("integrations")
    .description("what sends signals here")
    .addCommand(listCommand())
    .addCommand(createCommand())
    .addCommand(revokeCommand());

const listCommand = (): Command =>
  listing(
    new Command("list")
      .description("integrations in use, without their keys")
      .option("--search <text>", "words in the name")
      .option("--revoked", "those that were revoked instead"),
    {
      query: ({ client }, { search, revoked = false }: { search?: string; revoked?: boolean }) => {
        const filter = { search, revoked };
        return async (page) => (await client.request(IntegrationsDocument, { filter, ...page })).integrations;
      },
      show: (out, integrations) =>
        out.table(
          ["NAME", "KIND", "KEY BEGINS WITH", "LAST RECEIVED", "SERVICE", "CATEGORY", "SEVERITIES", "ID"],
          integrations.map((integration) => [
            integration.name,
            integration.kind,
            integration.prefix,
            when(integration.lastReceivedAt, out.now),
            integration.service?.name ?? "-",
            integration.category,
            `${list(integration.severities)} else=${integration.defaultSeverity}`,
            integration.id,
          ]),
          "No integrations.",
        ),
    },
  );

interface CreateOptions {
  kind: IntegrationKind;
  severity?: Record<string, Severity>;
  defaultSeverity?: Severity;
  category?: IncidentCategory;
  service?: string;
}

const createCommand = (): Command =>
  new Command("create")
    .description("make an address to send signals to; it holds a key and is shown once, alone on stdout")
    .argument("<name>", "what sends there")
    .addOption(
      new Option("--kind <kind>", listed(IntegrationKind).toLowerCase())
        .argParser(one(IntegrationKind))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--severity <theirs=ours>", "for example critical=P0, repeatable; replaces the map").argParser(
        severity,
      ),
    )
    .addOption(new Option("--default-severity <severity>", "where the map has no answer").argParser(one(Severity)))
    .addOption(
      new Option("--category <category>", "where a signal names none of ours").argParser(one(IncidentCategory)),
    )
    .option("--service <service>", "name or id, where a signal names none of the catalogue")
    .addHelpText("after", "\nExample:\n  poppo-ops integrations create production --kind alertmanager")
    .action(
      action<[string], CreateOptions>(async ({ client, out, url, remark }, { severity, service, ...options }, name) => {
        const input = {
          name,
          ...options,
          ...(severity && { severities: severity }),
          ...(service && { serviceId: await serviceId(client, service) }),
        };
        const { integration, path } = unwrap(
          (await client.request(CreateIntegrationDocument, { input })).createIntegration,
        );
        const address = new URL(path!, url).href;
        if (out.json) return out.document({ ...integration, path, url: address });
        out.say(address);
        remark(`Shown this once. Revoke it with \`poppo-ops integrations revoke ${integration!.id}\`.`);
      }),
    );

const revokeCommand = (): Command =>
  new Command("revoke")
    .description("refuse its key from now on; its incidents stay open")
    .argument("<integration>", "name or id")
    .action(
      action<[string]>(async ({ client, out }, _options, given) => {
        const input = { id: await integrationId(client, given) };
        const { integration } = unwrap((await client.request(RevokeIntegrationDocument, { input })).revokeIntegration);
        if (out.json) return out.document(integration);
        out.say(`Revoked ${integration!.name}.`);
      }),
    );

/** `critical=P0`, repeatable. */
function severity(text: string, previous: Record<string, Severity> = {}): Record<string, Severity> {
  const [theirs, ours] = Object.entries(label(text))[0]!;
  const word = wordOf(Severity, ours);
  if (word === undefined) throw new InvalidArgumentError(`Allowed after = are ${listed(Severity)}.`);
  return { ...previous, [theirs]: word };
}
