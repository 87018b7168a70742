DROP INDEX "events_at";--> statement-breakpoint
CREATE INDEX "events_service" ON "events" USING btree ("service_id","seq") WHERE "events"."service_id" is not null;--> statement-breakpoint
CREATE INDEX "incidents_assignee" ON "incidents" USING btree ("assignee","number" DESC NULLS FIRST) WHERE "incidents"."assignee" is not null;--> statement-breakpoint
CREATE INDEX "incidents_source" ON "incidents" USING btree ("source","number" DESC NULLS FIRST);