-- Agents, their ledgers, and what is read off them.
CREATE TABLE verifywise_fleet.agents (
	organization_id integer NOT NULL REFERENCES verifywise_fleet.organizations,
	agent_id uuid NOT NULL,
	status integer NOT NULL,
	hostname text COLLATE "C",
	enrolled_at bigint,
	enrollment_token text COLLATE "C",
	enrollment_key bytea,
	sealing_key bytea,
	serial text COLLATE "C",
	serial_not_after bigint,
	pending_serial text COLLATE "C",
	pending_not_after bigint,
	join_sequence bigint,
	pending_join_sequence bigint,
	status_reason text COLLATE "C",
	status_at bigint,
	status_by text COLLATE "C",
	genesis_agent_id uuid,
	chain_organization text COLLATE "C",
	chain_agent_id uuid,
	epoch bigint,
	sequence bigint,
	chain_sha256 bytea,
	stored_at bigint,
	desired_policy_sha256 bytea,
	desired_config_sha256 bytea,
	PRIMARY KEY (organization_id, agent_id)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('agents', 'SELECT, INSERT, UPDATE');

-- Written often, so apart from the agents.
CREATE TABLE verifywise_fleet.agent_presences (
	organization_id integer NOT NULL,
	agent_id uuid NOT NULL,
	connected boolean,
	replica text COLLATE "C",
	session_id text COLLATE "C",
	instance_id bytea,
	connected_at bigint,
	last_seen_at bigint,
	agent_version text COLLATE "C",
	protocol_minor bigint,
	hostname text COLLATE "C",
	source_uri text COLLATE "C",
	policy_sha256 bytea,
	config_sha256 bytea,
	last_sequence bigint,
	clock_offset_ms bigint,
	health bytea,             -- packed Health
	secrets bytea[],          -- packed SecretHeld
	policy_error text COLLATE "C",
	config_error text COLLATE "C",
	last_rejection text COLLATE "C",
	last_rejection_at bigint,
	PRIMARY KEY (organization_id, agent_id)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('agent_presences', 'SELECT, INSERT, UPDATE');

-- Exactly the bytes that the agent stored. The role that serves can add to it and read it, no more.
-- version_key: of an entry about a version, the first 16 bytes of SHA-256 over its workspace, model and number, each with its length. Names are
-- up to 1 KiB and an agent's own; an index over this key is small and cannot be made to fail.
CREATE TABLE verifywise_fleet.ledger (
	organization_id integer NOT NULL,
	agent_id uuid NOT NULL,
	sequence bigint NOT NULL,
	recorded_at bigint,
	stored_at bigint NOT NULL,
	version_key uuid,
	kind smallint NOT NULL,   -- 1 version, 2 removal, 4 audit, 0 something newer
	chain_sha256 bytea NOT NULL,
	payload bytea NOT NULL,   -- packed Entry
	PRIMARY KEY (organization_id, agent_id, sequence)
) PARTITION BY HASH (organization_id);
CREATE INDEX ON verifywise_fleet.ledger (organization_id, agent_id, version_key, sequence) WHERE version_key IS NOT NULL;
SELECT verifywise_fleet.make_tenant_table('ledger', 'SELECT, INSERT');

CREATE TABLE verifywise_fleet.quarantined_entries (
	organization_id integer NOT NULL,
	agent_id uuid NOT NULL,
	sequence bigint NOT NULL,
	chain_sha256 bytea NOT NULL,
	payload bytea NOT NULL,
	received_at bigint NOT NULL,
	session_id text COLLATE "C",
	PRIMARY KEY (organization_id, agent_id, sequence, chain_sha256)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('quarantined_entries', 'SELECT, INSERT');

-- The newest state of each version. version_order: its number as a bigint that sorts as the number does.
CREATE TABLE verifywise_fleet.versions (
	organization_id integer NOT NULL,
	agent_id uuid NOT NULL,
	version_key uuid NOT NULL,
	workspace text COLLATE "C" NOT NULL,
	model_name text COLLATE "C" NOT NULL,
	version_number text COLLATE "C" NOT NULL,
	version_order bigint NOT NULL,
	sequence bigint NOT NULL,
	stage text COLLATE "C",
	owner text COLLATE "C",
	risk_category text COLLATE "C",
	status integer,
	worst integer NOT NULL,   -- severity of the worst open gap; 0: none, or removed
	gaps bigint[] NOT NULL,   -- open, by severity from info; empty: never judged
	unknown bigint,
	partial boolean,
	first_seen_at bigint,
	recorded_at bigint,
	created_at bigint,
	updated_at bigint,
	removed_at bigint,
	description text COLLATE "C",
	experiment_name text COLLATE "C",
	record_sha256 bytea,
	source_uri text COLLATE "C",
	PRIMARY KEY (organization_id, agent_id, version_key)
) PARTITION BY HASH (organization_id);
CREATE INDEX ON verifywise_fleet.versions (organization_id, model_name, version_order, workspace, agent_id);
SELECT verifywise_fleet.make_tenant_table('versions', 'SELECT, INSERT, UPDATE');

CREATE TABLE verifywise_fleet.gaps (
	organization_id integer NOT NULL,
	agent_id uuid NOT NULL,
	version_key uuid NOT NULL,
	part integer NOT NULL,    -- of the version's open findings, from 1
	workspace text COLLATE "C" NOT NULL,
	model_name text COLLATE "C" NOT NULL,
	version_number text COLLATE "C" NOT NULL,
	version_order bigint NOT NULL,
	sequence bigint NOT NULL,
	recorded_at bigint,
	rule text COLLATE "C",
	severity integer NOT NULL,
	frameworks text[] COLLATE "C" NOT NULL,
	finding bytea NOT NULL,   -- packed Finding
	PRIMARY KEY (organization_id, agent_id, version_key, part)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('gaps', 'SELECT, INSERT, DELETE');

-- S10.5. One index serves the key and the listing, newest first.
CREATE TABLE verifywise_fleet.deployment_events (
	organization_id integer NOT NULL,
	agent_id uuid NOT NULL,
	sequence bigint NOT NULL,
	part bigint NOT NULL,
	workspace text COLLATE "C" NOT NULL,
	model_name text COLLATE "C" NOT NULL,
	version_number text COLLATE "C" NOT NULL,
	field text COLLATE "C",
	from_value text COLLATE "C",
	to_value text COLLATE "C",
	recorded_at bigint NOT NULL,
	mlflow_updated_at bigint,
	PRIMARY KEY (organization_id, recorded_at, agent_id, sequence, part)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('deployment_events', 'SELECT, INSERT');
