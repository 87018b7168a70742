CREATE TABLE "firing_alerts" (
	"integration_id" uuid NOT NULL,
	"fingerprint" text NOT NULL,
	"starts_at" timestamp (3) with time zone NOT NULL,
	"incident_id" uuid NOT NULL,
	CONSTRAINT "firing_alerts_integration_id_fingerprint_pk" PRIMARY KEY("integration_id","fingerprint")
);
--> statement-breakpoint
CREATE TABLE "integrations" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" text NOT NULL,
	"severities" jsonb NOT NULL,
	"default_severity" text NOT NULL,
	"category" text NOT NULL,
	"service_id" uuid,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"last_received_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "firing_alerts" ADD CONSTRAINT "firing_alerts_integration_id_integrations_id_fk" FOREIGN KEY ("integration_id") REFERENCES "public"."integrations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "firing_alerts" ADD CONSTRAINT "firing_alerts_incident_id_incidents_id_fk" FOREIGN KEY ("incident_id") REFERENCES "public"."incidents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "integrations" ADD CONSTRAINT "integrations_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "public"."services"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "firing_alerts_incident" ON "firing_alerts" USING btree ("incident_id");--> statement-breakpoint
CREATE UNIQUE INDEX "integrations_hash" ON "integrations" USING btree ("hash");--> statement-breakpoint
CREATE UNIQUE INDEX "integrations_name" ON "integrations" USING btree ("name") WHERE "integrations"."revoked_at" is null;--> statement-breakpoint
ALTER TABLE "firing_alerts" SET (fillfactor = 70);
