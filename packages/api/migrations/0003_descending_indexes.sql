DROP INDEX "incidents_status_number";--> statement-breakpoint
DROP INDEX "incidents_status_severity";--> statement-breakpoint
DROP INDEX "incidents_severity_number";--> statement-breakpoint
DROP INDEX "incidents_last_seen";--> statement-breakpoint
DROP INDEX "incidents_service";--> statement-breakpoint
DROP INDEX "remediation_runs_requested";--> statement-breakpoint
DROP INDEX "remediation_runs_target";--> statement-breakpoint
CREATE INDEX "incidents_status_number" ON "incidents" USING btree ("status","number" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "incidents_status_severity" ON "incidents" USING btree ("status","severity","number" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "incidents_severity_number" ON "incidents" USING btree ("severity","number" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "incidents_last_seen" ON "incidents" USING btree ("last_seen_at" DESC NULLS FIRST,"number" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "incidents_service" ON "incidents" USING btree ("service_id","number" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "remediation_runs_requested" ON "remediation_runs" USING btree ("requested_at" DESC NULLS FIRST,"id" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "remediation_runs_target" ON "remediation_runs" USING btree ("agent_id","target","requested_at" DESC NULLS FIRST);--> statement-breakpoint
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
