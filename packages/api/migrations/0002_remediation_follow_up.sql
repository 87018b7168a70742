CREATE TABLE "remediation_refusals" (
	"incident_id" uuid NOT NULL,
	"rule" text NOT NULL,
	"message" text NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "remediation_refusals_incident_id_rule_pk" PRIMARY KEY("incident_id","rule")
);
--> statement-breakpoint
ALTER TABLE "remediation_runs" ADD COLUMN "verify_after" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "remediation_runs" ADD COLUMN "held" boolean;--> statement-breakpoint
ALTER TABLE "remediation_runs" ADD COLUMN "late_report_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "remediation_refusals" ADD CONSTRAINT "remediation_refusals_incident_id_incidents_id_fk" FOREIGN KEY ("incident_id") REFERENCES "public"."incidents"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "remediation_runs_finished" ON "remediation_runs" USING btree ("finished_at");--> statement-breakpoint
CREATE UNIQUE INDEX "remediation_runs_one_live" ON "remediation_runs" USING btree ("agent_id","target") WHERE "remediation_runs"."finished_at" is null;