-- What the operator's own process asks over all organizations. These run with the rights of the role that serves: they go from one organization to
-- the next and see each through its own policy.

-- Numbers alone.
CREATE FUNCTION verifywise_fleet.counts_of(organization integer) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = verifywise_fleet, pg_temp AS $$
DECLARE
	of_agents bigint[];
	of_versions bigint[];
	connected bigint;
BEGIN
	PERFORM set_config('app.current_org', organization::text, true);
	SELECT ARRAY[count(*), coalesce(sum(a.sequence), 0)::bigint] INTO of_agents FROM agents a WHERE a.organization_id = organization;
	SELECT count(*) INTO connected FROM agent_presences p WHERE p.organization_id = organization AND p.connected;
	SELECT ARRAY[count(*), count(*) FILTER (WHERE v.worst > 0), coalesce(sum(v.gaps[1]), 0)::bigint, coalesce(sum(v.gaps[2]), 0)::bigint,
		coalesce(sum(v.gaps[3]), 0)::bigint, coalesce(sum(v.gaps[4]), 0)::bigint, coalesce(sum(v.gaps[5]), 0)::bigint]
		INTO of_versions FROM versions v WHERE v.organization_id = organization AND v.removed_at IS NULL;
	RETURN ARRAY[of_agents[1], connected, of_agents[2]] || of_versions;
END
$$;

CREATE FUNCTION verifywise_fleet.operator_counts() RETURNS bigint[]
LANGUAGE plpgsql SET search_path = verifywise_fleet, pg_temp AS $$
DECLARE
	one bigint[];
	total bigint[] := array_fill(0::bigint, ARRAY[11]);
	organization integer;
BEGIN
	FOR organization IN SELECT o.organization_id FROM operator_organizations(0, NULL) o LOOP
		one := 1::bigint || counts_of(organization);
		FOR i IN 1..11 LOOP
			total[i] := total[i] + one[i];
		END LOOP;
	END LOOP;
	PERFORM set_config('app.current_org', '', true);
	RETURN total;
END
$$;

-- None of a replica's agents is connected any more: says of which organization each was.
CREATE FUNCTION verifywise_fleet.operator_presence_clear(gone text) RETURNS TABLE (organization integer, agent uuid)
LANGUAGE plpgsql SET search_path = verifywise_fleet, pg_temp AS $$
BEGIN
	FOR organization IN SELECT o.organization_id FROM operator_organizations(0, NULL) o LOOP
		PERFORM set_config('app.current_org', organization::text, true);
		RETURN QUERY UPDATE agent_presences p SET connected = false
			WHERE p.organization_id = organization AND p.replica = gone AND p.connected
			RETURNING p.organization_id, p.agent_id;
	END LOOP;
	PERFORM set_config('app.current_org', '', true);
END
$$;

DO $$
DECLARE
	app text := current_setting('verifywise_fleet.app_role');
	f text;
BEGIN
	FOREACH f IN ARRAY ARRAY['counts_of(integer)', 'operator_counts()', 'operator_presence_clear(text)'] LOOP
		EXECUTE format('REVOKE ALL ON FUNCTION verifywise_fleet.%s FROM PUBLIC', f);
		EXECUTE format('GRANT EXECUTE ON FUNCTION verifywise_fleet.%s TO %I', f, app);
	END LOOP;
END
$$;
