import { createServer } from "node:http";
import { grafserv } from "grafserv/node";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makeV4Preset } from "postgraphile/presets/v4";
import { makeJSONPgSmartTagsPlugin } from "postgraphile/utils";
import { listen, serve } from "./serve.mjs";

/** The newest PostGraphile that runs on Node 20. Told the one relation that is not a foreign key. */
serve(async ({ databaseUrl }) => {
  const relations = makeJSONPgSmartTagsPlugin({
    version: 1,
    config: { class: { events: { tags: { foreignKey: "(incident_id) references incidents (id)" } } } },
  });
  const instance = postgraphile({
    extends: [PostGraphileAmberPreset, makeV4Preset({ dynamicJson: true })],
    plugins: [relations],
    pgServices: [makePgService({ connectionString: databaseUrl, schemas: ["public"] })],
    grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
    grafast: { explain: false },
  });
  const server = createServer();
  const serv = instance.createServ(grafserv);
  await serv.addTo(server);
  return `${await listen(server)}/graphql`;
});
