-- The schema itself, who works in it, and what is known of organizations and of those who may act for them.
--
-- Every table of a tenant is made by make_tenant_table(): hash-partitioned by organization_id, which every primary key starts with, and
-- under row-level security, for the owner too. A distributed PostgreSQL can take the same key.
--
-- Texts compare bytewise (COLLATE "C"), as in the embedded store. Times are milliseconds since 1970 in UTC, as in the messages: nothing is
-- rounded or shifted on the way. A uint64 is kept as the bigint of the same bits.
CREATE SCHEMA verifywise_fleet;
REVOKE ALL ON SCHEMA verifywise_fleet FROM PUBLIC;

CREATE TABLE verifywise_fleet.schema_version (
	version integer PRIMARY KEY,
	applied_at timestamptz NOT NULL DEFAULT now()
);

-- The role that serves: vw-controller's app_role, 'verifywise_fleet_app' unless it says otherwise. Made here if it is missing, without a login:
-- an operator gives it one.
DO $$
DECLARE
	app text := current_setting('verifywise_fleet.app_role');
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = app) THEN
		EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', app);
	END IF;
	-- so that the owner can go on as that role; where it may not be granted, an operator does that, or connects as the role
	BEGIN
		EXECUTE format('GRANT %I TO CURRENT_USER', app);
	EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation THEN
		NULL;
	END;
	EXECUTE format('GRANT USAGE ON SCHEMA verifywise_fleet TO %I', app);
	EXECUTE format('GRANT SELECT ON verifywise_fleet.schema_version TO %I', app);
END
$$;

-- 16 partitions: enough to spread over as many disks or nodes, few enough that a statement over all of them is planned and locked in no time.
-- A partition can be split later (MODULUS 32 beside MODULUS 16).
CREATE FUNCTION verifywise_fleet.make_tenant_table(name text, privileges text) RETURNS void
LANGUAGE plpgsql SET search_path = verifywise_fleet, pg_temp AS $$
DECLARE
	part text;
BEGIN
	FOR i IN 0..15 LOOP
		part := name || '_' || i;
		EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, name, i);
		-- nobody but the parent's policy leads into a partition
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
	END LOOP;
	EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
	EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
	-- the setting is '' and not missing once a transaction has set it on this connection
	EXECUTE format('CREATE POLICY tenant ON %I USING (organization_id = NULLIF(current_setting(''app.current_org'', true), '''')::int)', name);
	EXECUTE format('GRANT %s ON %I TO %I', privileges, name, current_setting('verifywise_fleet.app_role'));
END
$$;
REVOKE ALL ON FUNCTION verifywise_fleet.make_tenant_table(text, text) FROM PUBLIC;

CREATE TABLE verifywise_fleet.organizations (
	organization_id integer NOT NULL CHECK (organization_id >= 1),
	name text COLLATE "C" NOT NULL,
	disabled boolean NOT NULL DEFAULT false,
	created_at bigint NOT NULL,
	PRIMARY KEY (organization_id)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('organizations', 'SELECT, INSERT, UPDATE');

CREATE TABLE verifywise_fleet.enrollment_tokens (
	organization_id integer NOT NULL REFERENCES verifywise_fleet.organizations,
	public_id text COLLATE "C" NOT NULL,
	label text COLLATE "C",
	secret_sha256 bytea,
	created_at bigint,
	created_by text COLLATE "C",
	expires_at bigint,
	uses_allowed bigint,
	uses bigint,
	revoked_at bigint,
	PRIMARY KEY (organization_id, public_id)
) PARTITION BY HASH (organization_id);
CREATE INDEX ON verifywise_fleet.enrollment_tokens (public_id);
SELECT verifywise_fleet.make_tenant_table('enrollment_tokens', 'SELECT, INSERT, UPDATE');

-- organization_id 0: of every organization
CREATE TABLE verifywise_fleet.users (
	organization_id integer NOT NULL CHECK (organization_id >= 0),
	public_id text COLLATE "C" NOT NULL,
	name text COLLATE "C",
	role integer,
	secret_sha256 bytea,
	created_at bigint,
	expires_at bigint,
	revoked_at bigint,
	PRIMARY KEY (organization_id, public_id)
) PARTITION BY HASH (organization_id);
CREATE INDEX ON verifywise_fleet.users (public_id);
SELECT verifywise_fleet.make_tenant_table('users', 'SELECT, INSERT, UPDATE');

-- The controller's own trail. Nothing in it is changed or deleted. organization_id 0: of no one organization.
CREATE SEQUENCE verifywise_fleet.controller_event_id;
CREATE TABLE verifywise_fleet.controller_events (
	organization_id integer NOT NULL CHECK (organization_id >= 0),
	id bigint NOT NULL DEFAULT nextval('verifywise_fleet.controller_event_id'),
	at bigint,
	actor text COLLATE "C",
	action text COLLATE "C",
	object text COLLATE "C",
	text text COLLATE "C",
	PRIMARY KEY (organization_id, id)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('controller_events', 'SELECT, INSERT');

-- A mark for each transaction of which a client may have to ask whether it was committed, because the connection broke before the answer came. Transaction
-- ids do not answer that: behind a crash they are given out again. Marks of the last hour stay.
CREATE TABLE verifywise_fleet.commits (
	organization_id integer NOT NULL CHECK (organization_id >= 0),
	id uuid NOT NULL,
	at bigint NOT NULL,
	PRIMARY KEY (organization_id, id)
) PARTITION BY HASH (organization_id);
SELECT verifywise_fleet.make_tenant_table('commits', 'SELECT, INSERT, DELETE');

-- What has to be asked before the organization is known, and what the operator of all of them asks. The owner may read these four tables
-- whatever app.current_org says; the functions below run as the owner, and answer only what their names say.
CREATE POLICY lookup ON verifywise_fleet.organizations FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lookup ON verifywise_fleet.enrollment_tokens FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lookup ON verifywise_fleet.users FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lookup ON verifywise_fleet.controller_events FOR SELECT TO CURRENT_USER USING (true);

-- An id for a new organization: the wanted one, or the next with 0. Fails as a unique key would if id or name are there. Holds a lock to the end of the
-- transaction, so that two do not get the same.
CREATE FUNCTION verifywise_fleet.organization_reserve(wanted integer, wanted_name text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = verifywise_fleet, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('verifywise_fleet.organizations', 0));
	IF EXISTS (SELECT FROM organizations o WHERE o.organization_id = wanted OR o.name = wanted_name) THEN
		RAISE unique_violation USING MESSAGE = 'an organization with this id or name is there';
	END IF;
	IF wanted = 0 THEN
		RETURN (SELECT coalesce(max(o.organization_id), 0) + 1 FROM organizations o);
	END IF;
	RETURN wanted;
END
$$;

-- Public ids are looked up without their organization: they are unique over all.
CREATE FUNCTION verifywise_fleet.token_reserve(wanted text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = verifywise_fleet, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('verifywise_fleet.public_ids', 0));
	IF EXISTS (SELECT FROM enrollment_tokens t WHERE t.public_id = wanted) THEN
		RAISE unique_violation USING MESSAGE = 'a token with this public id is there';
	END IF;
END
$$;
CREATE FUNCTION verifywise_fleet.user_reserve(wanted text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = verifywise_fleet, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('verifywise_fleet.public_ids', 0));
	IF EXISTS (SELECT FROM users u WHERE u.public_id = wanted) THEN
		RAISE unique_violation USING MESSAGE = 'a user with this public id is there';
	END IF;
END
$$;

CREATE FUNCTION verifywise_fleet.token_organization(wanted text) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = verifywise_fleet, pg_temp AS $$
	SELECT t.organization_id FROM enrollment_tokens t WHERE t.public_id = wanted
$$;
CREATE FUNCTION verifywise_fleet.user_organization(wanted text) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = verifywise_fleet, pg_temp AS $$
	SELECT u.organization_id FROM users u WHERE u.public_id = wanted
$$;

CREATE FUNCTION verifywise_fleet.operator_organizations(behind integer, how_many bigint) RETURNS SETOF verifywise_fleet.organizations
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = verifywise_fleet, pg_temp AS $$
	SELECT * FROM organizations o WHERE o.organization_id > behind ORDER BY o.organization_id LIMIT how_many
$$;
CREATE FUNCTION verifywise_fleet.operator_users() RETURNS SETOF verifywise_fleet.users
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = verifywise_fleet, pg_temp AS $$
	SELECT * FROM users u
$$;
CREATE FUNCTION verifywise_fleet.operator_events(before bigint, how_many bigint) RETURNS SETOF verifywise_fleet.controller_events
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = verifywise_fleet, pg_temp AS $$
	SELECT * FROM controller_events e WHERE e.id < before ORDER BY e.id DESC LIMIT how_many
$$;

DO $$
DECLARE
	app text := current_setting('verifywise_fleet.app_role');
	f regprocedure;
BEGIN
	EXECUTE format('GRANT USAGE ON SEQUENCE verifywise_fleet.controller_event_id TO %I', app);
	FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'verifywise_fleet'::regnamespace AND proname <> 'make_tenant_table' LOOP
		EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f, app);
	END LOOP;
END
$$;
