import { Command, Option } from "commander";
import { unwrap } from "../error.js";
import { ApiTokensDocument, CreateApiTokenDocument, RevokeApiTokenDocument, Role } from "../generated/graphql.js";
import { action } from "./cli.js";
import { duration, listed, one } from "./option-values.js";
import { listing } from "./paging.js";
import { when } from "./words.js";

/** An agent proves itself by its key. */
const { AGENT: _, ...ROLES } = Role;
type TokenRole = keyof typeof ROLES;

export const tokensCommand = (): Command =>
  new Command("tokens")
    .description("API tokens")
    .addCommand(listCommand())
    .addCommand(createCommand())
    .addCommand(revokeCommand());

const listCommand = (): Command =>
  listing(new Command("list").description("every token, without the secret"), {
    query:
      ({ client }) =>
      async (page) =>
        (await client.request(ApiTokensDocument, page)).apiTokens,
    show: (out, tokens) =>
      out.table(
        ["ID", "NAME", "ROLE", "BEGINS WITH", "LAST USED", "EXPIRES"],
        tokens.map((token) => [
          token.id,
          token.name,
          token.role,
          token.prefix,
          when(token.lastUsedAt, out.now),
          token.revokedAt ? out.paint("dim", "revoked") : token.expiresAt ? when(token.expiresAt, out.now) : "never",
        ]),
        "No tokens.",
      ),
  });

const createCommand = (): Command =>
  new Command("create")
    .description("make a token; it is shown once, alone on stdout")
    .argument("<name>", "who or what will use it")
    .addOption(new Option("--role <role>", listed(ROLES).toLowerCase()).argParser(one(ROLES)).makeOptionMandatory())
    .option("--expires <duration>", "for example 30d (default: never)", duration)
    .addHelpText("after", "\nExample:\n  poppo-ops tokens create ci --role integration --expires 90d")
    .action(
      action<[string], { role: TokenRole; expires?: string }>(
        async ({ client, out, remark }, { role, expires }, name) => {
          const input = { name, role, expiresIn: expires };
          const { apiToken, token } = unwrap((await client.request(CreateApiTokenDocument, { input })).createApiToken);
          if (out.json) return out.document({ ...apiToken, token });
          out.say(token!);
          remark(`Shown this once. Role ${role}; revoke it with \`poppo-ops tokens revoke ${apiToken!.id}\`.`);
        },
      ),
    );

const revokeCommand = (): Command =>
  new Command("revoke")
    .description("make a token useless at once")
    .argument("<id>", "from `tokens list`")
    .action(
      action<[string]>(async ({ client, out }, _options, id) => {
        const { apiToken } = unwrap((await client.request(RevokeApiTokenDocument, { input: { id } })).revokeApiToken);
        if (out.json) return out.document(apiToken);
        out.say(`Revoked ${apiToken!.name}.`);
      }),
    );
