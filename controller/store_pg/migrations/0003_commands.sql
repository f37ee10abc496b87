-- What operators send to agents: commands, files, sealed secrets.
CREATE TABLE verifywise_fleet.commands (
	organization_id integer NOT NULL,
	id uuid NOT NULL,
	agent_id uuid NOT NULL,
	kind integer,
	issued_at bigint NOT NULL,
	expires_at bigint,
	command bytea NOT NULL,   -- packed Command, without secrets
	state integer NOT NULL,
	delivered_at bigint,
	finished_at bigint,
	update bytea,             -- packed CommandUpdate, the newest
	PRIMARY KEY (organization_id, id)
) PARTITION BY HASH (organization_id);
CREATE INDEX ON verifywise_fleet.commands (organization_id, issued_at, id);
CREATE INDEX ON verifywise_fleet.commands (organization_id, agent_id, issued_at, id);
CREATE INDEX ON verifywise_fleet.commands (organization_id, agent_id, issued_at, id) WHERE finished_at IS NULL;
SELECT verifywise_fleet.make_tenant_table('commands', 'SELECT, INSERT, UPDATE');

CREATE TABLE verifywise_fleet.files (
	organization_id integer NOT NULL,
	sha256 bytea NOT NULL,
	content bytea NOT NULL,
	PRIMARY KEY (organization_id, sha256)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('files', 'SELECT, INSERT');

-- Ciphertext: nobody but the agent can open it.
CREATE TABLE verifywise_fleet.secrets (
	organization_id integer NOT NULL,
	agent_id uuid NOT NULL,
	name text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	sealed bytea NOT NULL,
	created_at bigint,
	created_by text COLLATE "C",
	PRIMARY KEY (organization_id, agent_id, name)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('secrets', 'SELECT, INSERT, UPDATE, DELETE');
