/* tls.h: whose certificate opens the listener's door: only one that our own CA issued to an agent (S4.1, S4.5). */
#include "founding.h"

#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client's end, in a thread of its own. */
struct client {
	int fd;
	const char *chain, *key; /* NULL: shows none */
	int version;
};

static void *come(void *arg)
{
	struct client *c = arg;
	static const unsigned char h2[] = {2, 'h', '2'};
	char byte;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(context, c->version);
	SSL_CTX_set_alpn_protos(context, h2, sizeof(h2));
	if (c->chain) {
		SSL_CTX_use_certificate_chain_file(context, c->chain);
		SSL_CTX_use_PrivateKey_file(context, c->key, SSL_FILETYPE_PEM);
	}
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, c->fd);
	if (SSL_connect(ssl) == 1)
		SSL_read(ssl, &byte, 1); /* until the other end is gone */
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(c->fd);
	ERR_clear_error();
	return NULL;
}

static struct vw_tls_peer peer;

/* NULL: let in; else why not. */
static const char *knock(struct vw_tls *tls, struct client client)
{
	int pair[2];
	pthread_t thread;
	const char *flaw = NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	client.fd = pair[1];
	client.version = client.version ? client.version : TLS1_3_VERSION;
	assert_int_equal(pthread_create(&thread, NULL, come, &client), 0);
	peer = (struct vw_tls_peer){.scratch = arena};
	SSL *ssl = vw_tls_accept(tls, pair[0], &peer);
	assert_non_null(ssl);
	if (SSL_accept(ssl) != 1)
		flaw = vw_tls_failure(&peer);
	SSL_free(ssl);
	shutdown(pair[0], SHUT_RDWR);
	close(pair[0]);
	pthread_join(thread, NULL);
	return flaw;
}

static void refused(struct vw_tls *tls, const char *chain, const char *key, const char *why)
{
	const char *flaw = knock(tls, (struct client){.chain = chain, .key = key});
	if (!flaw || !strstr(flaw, why))
		fail_msg("%s: %s", chain ? chain : "nobody", flaw ? flaw : "let in");
	assert_false(peer.is_agent);
}

/* NAME.key, and NAME.pem issued for it by the authority. */
static void write_agent(struct vw_authority *authority, const char *name, int64_t now)
{
	char path[64], serial[VW_SERIAL_MAX];
	int64_t until;
	struct vw_key *key;
	struct vw_bytes public, der;
	assert_ok(vw_key_generate(&key, &err), err);
	assert_ok(vw_key_public(key, arena, &public, &err), err);
	assert_ok(vw_authority_issue(authority, 7, AGENT, public, now, arena, &der, serial, &until, &err), err);
	snprintf(path, sizeof(path), "%s.key", name);
	assert_ok(vw_key_write(key, path, &err), err);
	snprintf(path, sizeof(path), "%s.pem", name);
	assert_ok(vw_certificates_write_file(path, &der, 1, 0644, &err), err);
	vw_key_close(key);
}

/* By openssl, with any names: NAME.pem for NAME.key, issued with CA.key and CA.pem. */
static void forge(const char *name, const char *ca, const char *names, const char *more)
{
	sh("openssl ecparam -name prime256v1 -genkey -noout -out %s.key && chmod 600 %s.key && "
	   "openssl req -new -key %s.key -subj /CN=vw-agent -out forged.csr && "
	   "printf "
	   "'basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
	   "subjectAltName=%s\n%s\n' >forged.ext && "
	   "openssl x509 -req -in forged.csr -CA %s.pem -CAkey %s.key -CAcreateserial -days 2 -extfile forged.ext "
	   "-out %s.pem",
	   name, name, name, names, more, ca, ca, name);
}

static void test_our_own(void **state)
{
	struct vw_authority_settings settings = settings_of("own"), stranger = settings_of("stranger");
	int64_t now = vw_clock_now();
	struct vw_tls *tls;
	(void)state;
	write_ca("own", now - 100 * HOUR, now + 1000 * HOUR);
	struct vw_authority *a = found(&settings), *b = found(&stranger);
	assert_ok(vw_tls_open(a, &tls, &err), err);
	write_agent(a, "good", now);
	const char *flaw = knock(tls, (struct client){.chain = "good.pem", .key = "good.key"});
	if (flaw)
		fail_msg("%s", flaw);
	assert_true(peer.is_agent);
	assert_int_equal(peer.id.organization, 7);
	assert_string_equal(peer.id.agent_id, AGENT);
	refused(tls, NULL, NULL, "peer did not return a certificate");
	assert_non_null(
	    knock(tls, (struct client){.chain = "good.pem", .key = "good.key", .version = TLS1_2_VERSION}));
	write_agent(b, "foreign", now);
	refused(tls, "foreign.pem", "foreign.key", "certificate verify failed");
	write_agent(a, "expired", now - 25 * HOUR);
	refused(tls, "expired.pem", "expired.key", "certificate verify failed");
	write_agent(a, "early", now + HOUR);
	refused(tls, "early.pem", "early.key", "certificate verify failed");
	/* what else our CA issues is no agent's */
	refused(tls, "own/server.pem", "own/server.key", "certificate verify failed");
	refused(tls, "own/receipts.pem", "own/receipts.key", "certificate verify failed");
	refused(tls, "own/ca.pem", "own/ca.key", "");
	/* another certificate of the server's, and the door is the same */
	assert_ok(vw_tls_reload(tls, &err), err);
	assert_null(knock(tls, (struct client){.chain = "good.pem", .key = "good.key"}));
	vw_tls_close(tls);
	vw_authority_close(a);
	vw_authority_close(b);
}

static void test_names(void **state)
{
	struct vw_authority_settings settings = settings_of("own");
	struct vw_authority *a = reopen(&settings);
	struct vw_tls *tls;
	static const char *const names[] = {"URI:spiffe://other.example/org/7/agent/" AGENT,
					    "URI:spiffe://" DOMAIN "/controller",
					    "URI:spiffe://" DOMAIN "/receipts",
					    "URI:spiffe://" DOMAIN "/org/7/agent/" AGENT "/x",
					    "URI:spiffe://" DOMAIN "/org/7/agent/" AGENT ",URI:spiffe://" DOMAIN
					    "/org/8/agent/" AGENT,
					    "DNS:agent.example"};
	(void)state;
	sh("cp own/ca.key own.key && cp own/ca.pem own.pem");
	assert_ok(vw_tls_open(a, &tls, &err), err);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		forge("named", "own", names[i], "");
		refused(tls, "named.pem", "named.key", "not an agent's certificate");
	}
	forge("named", "own", "URI:" AGENT_ID, "");
	assert_null(knock(tls, (struct client){.chain = "named.pem", .key = "named.key"}));
	vw_tls_close(tls);
	vw_authority_close(a);
}

/* Our CA is one of several below a corporation's root: what the others issue, or the root itself, is not ours whatever name it bears. */
static void test_beside_us_below_the_same_root(void **state)
{
	struct vw_authority_settings settings = settings_of("below");
	struct vw_tls *tls;
	(void)state;
	make_corporation();
	assert_ok(vw_authority_create(&settings, "ca.key", "chain.pem", &err), err);
	struct vw_authority *a = reopen(&settings);
	assert_ok(vw_tls_open(a, &tls, &err), err);
	write_agent(a, "good", vw_clock_now());
	assert_null(knock(tls, (struct client){.chain = "good.pem", .key = "good.key"}));
	assert_true(peer.is_agent);
	sh("cat good.pem ca.pem root.pem >whole.pem");
	assert_null(knock(tls, (struct client){.chain = "whole.pem", .key = "good.key"}));
	forge("ours", "ca", "URI:" AGENT_ID, "");
	assert_null(knock(tls, (struct client){.chain = "ours.pem", .key = "ours.key"}));
	/* another intermediate, which sends its chain along */
	sh("openssl ecparam -name prime256v1 -genkey -noout -out sibling.key && "
	   "openssl req -new -key sibling.key -subj '/O=Corporation/CN=Sibling' -out sibling.csr && "
	   "openssl x509 -req -in sibling.csr -CA root.pem -CAkey root.key -CAcreateserial -days 50 -extfile ca.ext "
	   "-out sibling.pem");
	forge("forged", "sibling", "URI:" AGENT_ID, "");
	sh("openssl verify -purpose sslclient -CAfile root.pem -untrusted sibling.pem forged.pem");
	sh("cat forged.pem sibling.pem >sent.pem && cat forged.pem sibling.pem root.pem >all.pem && cat forged.pem "
	   "ca.pem >mixed.pem");
	refused(tls, "forged.pem", "forged.key", "certificate verify failed");
	refused(tls, "sent.pem", "forged.key", "certificate verify failed");
	refused(tls, "all.pem", "forged.key", "certificate verify failed");
	refused(tls, "mixed.pem", "forged.key", "certificate verify failed");
	/* one with our CA's very name */
	sh("openssl req -new -key sibling.key -subj '/O=Corporation/CN=Models' -out sibling.csr && "
	   "openssl x509 -req -in sibling.csr -CA root.pem -CAkey root.key -CAcreateserial -days 50 -extfile ca.ext "
	   "-out sibling.pem");
	forge("forged", "sibling", "URI:" AGENT_ID, "");
	sh("cat forged.pem sibling.pem >sent.pem");
	refused(tls, "sent.pem", "forged.key", "certificate verify failed");
	forge("rooted", "root", "URI:" AGENT_ID, "");
	refused(tls, "rooted.pem", "rooted.key", "certificate verify failed");
	vw_tls_close(tls);
	vw_authority_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_our_own),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_beside_us_below_the_same_root),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
