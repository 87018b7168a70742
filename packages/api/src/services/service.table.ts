import { index, pgTable, primaryKey, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { createdAt, id, json, type Labels, updatedAt } from "../db/columns.js";

export const services = pgTable(
  "services",
  {
    id: id(),
    name: text("name").notNull(),
    description: text("description").notNull().default(""),
    owner: text("owner").notNull().default(""),
    labels: json<Labels>("labels").notNull().default({}),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex("services_name").on(t.name)],
);

export const serviceDependencies = pgTable(
  "service_dependencies",
  {
    serviceId: uuid("service_id")
      .notNull()
      .references(() => services.id, { onDelete: "cascade" }),
    dependsOnId: uuid("depends_on_id")
      .notNull()
      .references(() => services.id, { onDelete: "cascade" }),
  },
  (t) => [primaryKey({ columns: [t.serviceId, t.dependsOnId] }), index("service_dependents").on(t.dependsOnId)],
);
