CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
CREATE TABLE "api_tokens" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"role" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"last_used_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "agent_commands" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"agent_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"payload" text NOT NULL,
	"signature" text NOT NULL,
	"fencing_token" bigint NOT NULL,
	"start_by" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone,
	"end" text,
	"summary" text,
	"result" jsonb,
	"survivors" jsonb
);
--> statement-breakpoint
CREATE TABLE "agent_sessions" (
	"agent_id" uuid PRIMARY KEY NOT NULL,
	"session_id" uuid,
	"spool_epoch" uuid,
	"acked_seq" bigint DEFAULT 0 NOT NULL,
	"last_seen_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "agents" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"status" text DEFAULT 'OFFLINE' NOT NULL,
	"public_key" jsonb NOT NULL,
	"labels" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"facts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"version" text DEFAULT '' NOT NULL,
	"enrolled_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"connected_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "command_output" (
	"command_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"stream" text NOT NULL,
	"offset" bigint NOT NULL,
	"text" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "enrolment_tokens" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"hash" text NOT NULL,
	"prefix" text NOT NULL,
	"name_pattern" text NOT NULL,
	"labels" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"used_at" timestamp (3) with time zone,
	"agent_id" uuid
);
--> statement-breakpoint
CREATE TABLE "spool_gaps" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"agent_id" uuid NOT NULL,
	"epoch" uuid NOT NULL,
	"from_seq" bigint NOT NULL,
	"to_seq" bigint NOT NULL,
	"reason" text NOT NULL,
	"recorded_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "probe_state" (
	"agent_id" uuid NOT NULL,
	"probe_id" uuid NOT NULL,
	"item" text NOT NULL,
	"status" text NOT NULL,
	"hard_status" text NOT NULL,
	"attempt" integer NOT NULL,
	"since" timestamp (3) with time zone NOT NULL,
	"changes" integer DEFAULT 0 NOT NULL,
	"flapping" boolean DEFAULT false NOT NULL,
	"reporting" boolean DEFAULT true NOT NULL,
	"last_at" timestamp (3) with time zone NOT NULL,
	"summary" text NOT NULL,
	"metrics" jsonb,
	"evidence" jsonb,
	"incident_id" uuid,
	CONSTRAINT "probe_state_agent_id_probe_id_item_pk" PRIMARY KEY("agent_id","probe_id","item")
);
--> statement-breakpoint
CREATE TABLE "probes" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"agent_selector" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"interval_ms" integer NOT NULL,
	"retry_interval_ms" integer NOT NULL,
	"timeout_ms" integer NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"severity" text DEFAULT 'P2' NOT NULL,
	"category" text DEFAULT 'OTHER' NOT NULL,
	"service_id" uuid,
	"rules" jsonb NOT NULL,
	"remediation" jsonb,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "installation" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"signing_key" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "event_head" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"head" bigint DEFAULT 0 NOT NULL,
	"hash" text DEFAULT '' NOT NULL,
	"epoch" uuid DEFAULT gen_random_uuid() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"seq" bigint PRIMARY KEY NOT NULL,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" text NOT NULL,
	"incident_id" uuid,
	"service_id" uuid,
	"severity" text,
	"summary" text NOT NULL,
	"payload" jsonb NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "incidents" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"number" integer GENERATED ALWAYS AS IDENTITY (sequence name "incidents_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"title" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"status" text DEFAULT 'TRIGGERED' NOT NULL,
	"severity" text NOT NULL,
	"peak_severity" text NOT NULL,
	"category" text DEFAULT 'OTHER' NOT NULL,
	"source" text NOT NULL,
	"dedup_key" text,
	"duplicate_count" integer DEFAULT 0 NOT NULL,
	"first_seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"acknowledged_at" timestamp (3) with time zone,
	"acknowledged_by" text,
	"assignee" text,
	"snoozed_until" timestamp (3) with time zone,
	"resolved_at" timestamp (3) with time zone,
	"resolved_by" text,
	"resolution" text,
	"evidence" jsonb,
	"service_id" uuid,
	"merged_into_id" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "processing" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"paused" boolean DEFAULT false NOT NULL,
	"reason" text,
	"owner" text,
	"since" timestamp (3) with time zone,
	"until" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "remediation_policies" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"probe_id" uuid NOT NULL,
	"mode" text NOT NULL,
	"cooldown_ms" bigint NOT NULL,
	"max_attempts" integer NOT NULL,
	"window_ms" bigint NOT NULL,
	"breaker_after" integer NOT NULL,
	"max_share" double precision NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_by" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "remediation_runs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"kind" text NOT NULL,
	"target" text NOT NULL,
	"input" jsonb NOT NULL,
	"risk" text NOT NULL,
	"status" text NOT NULL,
	"automatic" boolean DEFAULT false NOT NULL,
	"reason" text,
	"agent_id" uuid NOT NULL,
	"probe_id" uuid,
	"item" text DEFAULT '' NOT NULL,
	"incident_id" uuid,
	"preview" jsonb,
	"preview_command_id" uuid,
	"command_id" uuid,
	"requested_by" text NOT NULL,
	"decided_by" text,
	"requested_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"verify_by" timestamp (3) with time zone,
	"lease_until" timestamp (3) with time zone,
	"summary" text,
	"survivors" jsonb
);
--> statement-breakpoint
CREATE TABLE "target_locks" (
	"agent_id" uuid NOT NULL,
	"target" text NOT NULL,
	"fencing_token" bigint NOT NULL,
	"run_id" uuid,
	"lease_until" timestamp (3) with time zone,
	"failed_verifies" integer DEFAULT 0 NOT NULL,
	"breaker_open_until" timestamp (3) with time zone,
	CONSTRAINT "target_locks_agent_id_target_pk" PRIMARY KEY("agent_id","target")
);
--> statement-breakpoint
CREATE TABLE "service_dependencies" (
	"service_id" uuid NOT NULL,
	"depends_on_id" uuid NOT NULL,
	CONSTRAINT "service_dependencies_service_id_depends_on_id_pk" PRIMARY KEY("service_id","depends_on_id")
);
--> statement-breakpoint
CREATE TABLE "services" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"owner" text DEFAULT '' NOT NULL,
	"labels" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "agent_commands" ADD CONSTRAINT "agent_commands_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_sessions" ADD CONSTRAINT "agent_sessions_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "command_output" ADD CONSTRAINT "command_output_command_id_agent_commands_id_fk" FOREIGN KEY ("command_id") REFERENCES "public"."agent_commands"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "enrolment_tokens" ADD CONSTRAINT "enrolment_tokens_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "spool_gaps" ADD CONSTRAINT "spool_gaps_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "probe_state" ADD CONSTRAINT "probe_state_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "probe_state" ADD CONSTRAINT "probe_state_probe_id_probes_id_fk" FOREIGN KEY ("probe_id") REFERENCES "public"."probes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "probe_state" ADD CONSTRAINT "probe_state_incident_id_incidents_id_fk" FOREIGN KEY ("incident_id") REFERENCES "public"."incidents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "probes" ADD CONSTRAINT "probes_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "public"."services"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "incidents" ADD CONSTRAINT "incidents_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "public"."services"("id") ON DELETE restrict ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "incidents" ADD CONSTRAINT "incidents_merged_into_id_incidents_id_fk" FOREIGN KEY ("merged_into_id") REFERENCES "public"."incidents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "remediation_policies" ADD CONSTRAINT "remediation_policies_probe_id_probes_id_fk" FOREIGN KEY ("probe_id") REFERENCES "public"."probes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "remediation_runs" ADD CONSTRAINT "remediation_runs_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "remediation_runs" ADD CONSTRAINT "remediation_runs_probe_id_probes_id_fk" FOREIGN KEY ("probe_id") REFERENCES "public"."probes"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "remediation_runs" ADD CONSTRAINT "remediation_runs_incident_id_incidents_id_fk" FOREIGN KEY ("incident_id") REFERENCES "public"."incidents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "remediation_runs" ADD CONSTRAINT "remediation_runs_preview_command_id_agent_commands_id_fk" FOREIGN KEY ("preview_command_id") REFERENCES "public"."agent_commands"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "remediation_runs" ADD CONSTRAINT "remediation_runs_command_id_agent_commands_id_fk" FOREIGN KEY ("command_id") REFERENCES "public"."agent_commands"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "target_locks" ADD CONSTRAINT "target_locks_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "service_dependencies" ADD CONSTRAINT "service_dependencies_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "public"."services"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "service_dependencies" ADD CONSTRAINT "service_dependencies_depends_on_id_services_id_fk" FOREIGN KEY ("depends_on_id") REFERENCES "public"."services"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "api_tokens_hash" ON "api_tokens" USING btree ("hash");--> statement-breakpoint
CREATE INDEX "agent_commands_open" ON "agent_commands" USING btree ("agent_id") WHERE "agent_commands"."ended_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "agents_name" ON "agents" USING btree ("name") WHERE "agents"."revoked_at" is null;--> statement-breakpoint
CREATE INDEX "agents_status" ON "agents" USING btree ("status");--> statement-breakpoint
CREATE UNIQUE INDEX "command_output_seq" ON "command_output" USING btree ("command_id","seq");--> statement-breakpoint
CREATE UNIQUE INDEX "enrolment_tokens_hash" ON "enrolment_tokens" USING btree ("hash");--> statement-breakpoint
CREATE UNIQUE INDEX "spool_gaps_once" ON "spool_gaps" USING btree ("agent_id","epoch","from_seq");--> statement-breakpoint
CREATE INDEX "probe_state_probe" ON "probe_state" USING btree ("probe_id");--> statement-breakpoint
CREATE INDEX "probe_state_status" ON "probe_state" USING btree ("status");--> statement-breakpoint
CREATE INDEX "probe_state_incident" ON "probe_state" USING btree ("incident_id");--> statement-breakpoint
CREATE UNIQUE INDEX "probes_name" ON "probes" USING btree ("name");--> statement-breakpoint
CREATE INDEX "events_incident" ON "events" USING btree ("incident_id","seq");--> statement-breakpoint
CREATE INDEX "events_at" ON "events" USING btree ("at");--> statement-breakpoint
CREATE UNIQUE INDEX "incidents_number" ON "incidents" USING btree ("number");--> statement-breakpoint
CREATE UNIQUE INDEX "incidents_open_dedup_key" ON "incidents" USING btree ("dedup_key") WHERE "incidents"."status" in ('TRIGGERED', 'ACKNOWLEDGED', 'SNOOZED');--> statement-breakpoint
CREATE INDEX "incidents_status_number" ON "incidents" USING btree ("status","number" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "incidents_status_severity" ON "incidents" USING btree ("status","severity","number" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "incidents_severity_number" ON "incidents" USING btree ("severity","number" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "incidents_last_seen" ON "incidents" USING btree ("last_seen_at" DESC NULLS LAST,"number" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "incidents_service" ON "incidents" USING btree ("service_id","number" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "incidents_snoozed" ON "incidents" USING btree ("snoozed_until") WHERE "incidents"."status" = 'SNOOZED';--> statement-breakpoint
CREATE INDEX "incidents_merged_into" ON "incidents" USING btree ("merged_into_id") WHERE "incidents"."merged_into_id" is not null;--> statement-breakpoint
CREATE INDEX "incidents_title_search" ON "incidents" USING gin ("title" gin_trgm_ops);--> statement-breakpoint
CREATE UNIQUE INDEX "remediation_policies_probe" ON "remediation_policies" USING btree ("probe_id");--> statement-breakpoint
CREATE INDEX "remediation_runs_incident" ON "remediation_runs" USING btree ("incident_id");--> statement-breakpoint
CREATE INDEX "remediation_runs_requested" ON "remediation_runs" USING btree ("requested_at" DESC NULLS LAST,"id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "remediation_runs_target" ON "remediation_runs" USING btree ("agent_id","target","requested_at" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "remediation_runs_live" ON "remediation_runs" USING btree ("status") WHERE "remediation_runs"."finished_at" is null;--> statement-breakpoint
CREATE INDEX "remediation_runs_command" ON "remediation_runs" USING btree ("command_id");--> statement-breakpoint
CREATE INDEX "service_dependents" ON "service_dependencies" USING btree ("depends_on_id");--> statement-breakpoint
CREATE UNIQUE INDEX "services_name" ON "services" USING btree ("name");