/* table.c: who is here: agents by organization and id, organizations by id. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define TENANT_BUCKETS (sizeof(((struct vw_session_server *)0)->tenants) / sizeof(struct vw_tenant *))

static struct vw_tenant **tenant_bucket(struct vw_session_server *server, int32_t organization)
{
	return &server->tenants[(uint32_t)organization * 2654435761u % TENANT_BUCKETS];
}

struct vw_tenant *vw_tenant_find(struct vw_session_server *server, int32_t organization)
{
	struct vw_tenant *tenant = *tenant_bucket(server, organization);
	while (tenant && tenant->organization != organization)
		tenant = tenant->next;
	return tenant;
}

static struct vw_tenant *tenant_enter(struct vw_session_server *server, int32_t organization)
{
	struct vw_tenant *tenant = vw_tenant_find(server, organization);
	if (tenant)
		return tenant;
	tenant = calloc(1, sizeof(*tenant));
	if (tenant) {
		struct vw_tenant **bucket = tenant_bucket(server, organization);
		tenant->organization = organization;
		tenant->next = *bucket;
		*bucket = tenant;
	}
	return tenant;
}

void vw_tenant_leave(struct vw_session_server *server, struct vw_tenant *tenant)
{
	if (tenant->users > 0)
		return;
	struct vw_tenant **at = tenant_bucket(server, tenant->organization);
	while (*at != tenant)
		at = &(*at)->next;
	*at = tenant->next;
	free(tenant);
}

static struct vw_peer **peer_bucket(struct vw_session_server *server, int32_t organization, const char *agent_id)
{
	uint32_t hash = 2166136261u ^ (uint32_t)organization; /* FNV-1a */
	for (; *agent_id; agent_id++)
		hash = (hash ^ (uint8_t)*agent_id) * 16777619u;
	return &server->peers[hash & (server->peer_buckets - 1)];
}

struct vw_peer *vw_peer_find(struct vw_session_server *server, int32_t organization, const char *agent_id)
{
	struct vw_peer *peer = *peer_bucket(server, organization, agent_id);
	while (peer && (peer->tenant->organization != organization || strcmp(peer->agent_id, agent_id) != 0))
		peer = peer->next;
	return peer;
}

static void join_tenant(struct vw_peer *peer, struct vw_tenant *tenant)
{
	peer->tenant = tenant;
	peer->next_of_tenant = tenant->peers;
	peer->at_of_tenant = &tenant->peers;
	if (tenant->peers)
		tenant->peers->at_of_tenant = &peer->next_of_tenant;
	tenant->peers = peer;
	tenant->users++;
}

struct vw_peer *vw_peer_enter(struct vw_session_server *server, int32_t organization, const char *agent_id)
{
	struct vw_peer *peer = vw_peer_find(server, organization, agent_id);
	if (peer)
		return peer;
	struct vw_tenant *tenant = tenant_enter(server, organization);
	peer = calloc(1, sizeof(*peer));
	if (!tenant || !peer) {
		free(peer);
		if (tenant)
			vw_tenant_leave(server, tenant);
		return NULL;
	}
	struct vw_peer **bucket = peer_bucket(server, organization, agent_id);
	memcpy(peer->agent_id, agent_id, strlen(agent_id) + 1);
	join_tenant(peer, tenant);
	peer->next = *bucket;
	*bucket = peer;
	server->peer_count++;
	return peer;
}

void vw_peer_leave(struct vw_session_server *server, struct vw_peer *peer)
{
	struct vw_tenant *tenant = peer->tenant;
	if (peer->stream_count > 0 || peer->task_count > 0 || peer->line_count > 0)
		return;
	struct vw_peer **at = peer_bucket(server, tenant->organization, peer->agent_id);
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	*peer->at_of_tenant = peer->next_of_tenant;
	if (peer->next_of_tenant)
		peer->next_of_tenant->at_of_tenant = peer->at_of_tenant;
	free(peer);
	server->peer_count--;
	tenant->users--;
	vw_tenant_leave(server, tenant);
}
