import { Command, InvalidArgumentError, Option } from "commander";
import { stringify } from "yaml";
import { unwrap } from "../error.js";
import {
  AgentStatus,
  AgentsDocument,
  CreateEnrolmentTokenDocument,
  RevokeAgentDocument,
} from "../generated/graphql.js";
import { action } from "./cli.js";
import { agentId } from "./lookup.js";
import { duration, label, listed, oneOrMore } from "./option-values.js";
import { listing } from "./paging.js";
import { list, when, word } from "./words.js";

export const agentsCommand = (): Command =>
  new Command("agents")
    .description("the agents on your hosts")
    .addCommand(listCommand())
    .addCommand(enrolCommand())
    .addCommand(revokeCommand());

const listCommand = (): Command =>
  listing(
    new Command("list")
      .description("every agent and how it is")
      .addOption(
        new Option("--status <status...>", listed(AgentStatus).toLowerCase()).argParser(oneOrMore(AgentStatus)),
      )
      .option("--search <text>", "words in the name"),
    {
      query: ({ client }, { status, search }: { status?: AgentStatus[]; search?: string }) => {
        const filter = { statuses: status, search };
        return async (page) => (await client.request(AgentsDocument, { filter, ...page })).agents;
      },
      show: (out, agents) =>
        out.table(
          ["NAME", "STATUS", "LAST SEEN", "VERSION", "LABELS", "ID"],
          agents.map((agent) => [
            agent.name,
            word(out, agent.status),
            when(agent.lastSeenAt, out.now),
            agent.version,
            list(agent.labels),
            agent.id,
          ]),
          "No agents. `poppo-ops agents enrol` makes a token for one.",
        ),
    },
  );

interface EnrolOptions {
  name: string;
  label?: Record<string, string>;
  expires?: string;
  server?: string;
}

const enrolCommand = (): Command =>
  new Command("enrol")
    .description("make a token, and the config file, for one new agent")
    .option("--name <pattern>", "names the token may be used for, as web-1 or web-*", "*")
    .option("--label <name=value>", "label the agent gets; repeatable", label)
    .option("--expires <duration>", "how long the token can be used (default 15m)", duration)
    .option("--server <url>", "where the agent reaches the server (default: where this command does)", httpUrl)
    .addHelpText("after", "\nExample:\n  poppo-ops agents enrol --name web-1 --label role=web > agent.yaml")
    .action(
      action<[], EnrolOptions>(async ({ client, out, url, remark }, options) => {
        const input = { namePattern: options.name, labels: options.label, expiresIn: options.expires };
        const made = unwrap((await client.request(CreateEnrolmentTokenDocument, { input })).createEnrolmentToken);
        const config = agentConfig({ server: options.server ?? url, name: options.name, token: made.token! });
        if (out.json) return out.document({ token: made.token, expiresAt: made.expiresAt, config });
        out.say(config.trimEnd());
        remark(
          `\nThe token works once, until ${made.expiresAt}. Save this as agent.yaml on the host, then start there:`,
        );
        remark("  poppo-ops-agent --config agent.yaml");
      }),
    );

function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError("Write it like https://poppo.example.com.");
}

interface AgentConfigOptions {
  server: string;
  name: string;
  token: string;
}

/** A config file to paste: every line that decides something says what. */
function agentConfig({ server, name, token }: AgentConfigOptions): string {
  const named = name.includes("*")
    ? "# name: must match the token's pattern; absent: the host's name\n"
    : stringify({ name });
  return `${stringify({ server })}${named}enrolmentToken: ${token}
dataDir: /var/lib/poppo-ops-agent
# What the server may do here. Nothing above R1 (reversible, no impact) unless a rule names it.
policy:
  maxRisk: R1
  allow: []
  # allow:
  #   - remediation: docker.restart
  #     targets: ["docker/web-*"]
`;
}

const revokeCommand = (): Command =>
  new Command("revoke")
    .description("cut an agent off for good, at once")
    .argument("<agent>", "name or id")
    .option("-m, --reason <text>", "why, for the audit log")
    .action(
      action<[string], { reason?: string }>(async ({ client, out }, { reason }, given) => {
        const input = { id: await agentId(client, given), reason };
        const { agent } = unwrap((await client.request(RevokeAgentDocument, { input })).revokeAgent);
        if (out.json) return out.document(agent);
        out.say(`Revoked ${agent!.name}. To bring it back: delete its data folder and enrol it again.`);
      }),
    );
