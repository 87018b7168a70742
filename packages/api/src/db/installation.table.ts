import { boolean, jsonb, pgTable, uuid } from "drizzle-orm/pg-core";
import { createdAt } from "./columns.js";

/** One row: who this installation is. `signingKey` signs the commands agents obey (Ed25519, private JWK). */
export const installation = pgTable("installation", {
  only: boolean("only").primaryKey().default(true),
  id: uuid("id").notNull().defaultRandom(),
  signingKey: jsonb("signing_key").$type<Record<string, string>>(),
  createdAt: createdAt(),
});
