/* health_uplink_test.c: what is green and what is not, seen from the controller's side; and who is asked, for how long. */
#include "health.h"

#include "base/json.h"

#include "../base/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#define NOW  1772366400000
#define MONO 5000000

static struct health_facts enrolled(void)
{
	struct health_facts facts = {.agent_id = "0221122c-6b5e-40b0-aeb5-ce89961343e6",
				     .alive_mono = MONO,
				     .stale_ms = 900000,
				     .enrolled = true,
				     .uplink = {.phase = VW_UPLINK_CONNECTED,
						.since = NOW - 60000,
						.connected_at = NOW - 60000,
						.last_sequence = 120,
						.sent_sequence = 110,
						.acknowledged_sequence = 100,
						.acknowledged_at = NOW - 5000,
						.waiting_since = MONO - 5000,
						.certificate_not_after = NOW + 3 * 86400000LL + 1,
						.clock_offset_ms = -1500,
						.connects = 2,
						.batches = 3,
						.entries_sent = 130,
						.bytes_sent = 4096,
						.receipts = 4,
						.duplicates_asked = 10}};
	return facts;
}

static void what_is_not_green(void **state)
{
	(void)state;
	struct health_facts facts = enrolled();
	assert_int_equal(health_troubles(&facts, NOW, MONO), 0);
	facts.uplink.waiting_since = MONO - HEALTH_OVERDUE_MS;
	assert_int_equal(health_troubles(&facts, NOW, MONO), 0);
	facts.uplink.waiting_since--;
	assert_int_equal(health_troubles(&facts, NOW, MONO), HEALTH_ACKNOWLEDGEMENT_OVERDUE);
	facts.uplink.waiting_since = 0; /* nothing waits: a controller that is away takes nothing from us */
	facts.uplink.phase = VW_UPLINK_WAITING;
	assert_int_equal(health_troubles(&facts, NOW, MONO), 0);
	facts.uplink.phase = VW_UPLINK_REFUSED;
	assert_int_equal(health_troubles(&facts, NOW, MONO), HEALTH_UPLINK_REFUSED);
	facts.uplink.phase = VW_UPLINK_IDLE; /* it is only beginning */
	assert_int_equal(health_troubles(&facts, NOW, MONO), 0);
	facts.uplink.last_error.code = VW_EIO;
	assert_int_equal(health_troubles(&facts, NOW, MONO), HEALTH_UPLINK_DOWN);
	facts = enrolled();
	facts.uplink.certificate_not_after = NOW;
	assert_int_equal(health_troubles(&facts, NOW, MONO), HEALTH_CERTIFICATE_EXPIRED);
	facts.uplink.certificate_not_after = NOW + 1;
	assert_int_equal(health_troubles(&facts, NOW, MONO), 0);
}

static void a_pause_is_no_trouble(void **state)
{
	(void)state;
	struct health_facts facts = enrolled();
	assert_int_equal(health_troubles(&facts, NOW, MONO + 900001),
			 HEALTH_SYNC_OVERDUE | HEALTH_ACKNOWLEDGEMENT_OVERDUE);
	facts.paused = true;
	assert_int_equal(health_troubles(&facts, NOW, MONO + 900001) & HEALTH_SYNC_OVERDUE, 0);
}

static void without_a_controller_none_of_it_counts(void **state)
{
	(void)state;
	struct health_facts facts = enrolled();
	facts.enrolled = false;
	facts.uplink.phase = VW_UPLINK_REFUSED;
	assert_int_equal(health_troubles(&facts, NOW, MONO), 0);
	struct vw_buffer body;
	vw_buffer_init(&body, 0);
	health_write_metrics(&facts, NOW, MONO, &body);
	assert_non_null(strstr(vw_buffer_text(&body), "\nvw_agent_enrolled 0\n"));
	assert_null(strstr(vw_buffer_text(&body), "vw_agent_controller_"));
	vw_buffer_reset(&body);
}

static json_t *progress_of(const struct health_facts *facts)
{
	struct vw_buffer body;
	struct vw_error err = VW_ERROR_INIT;
	json_t *root = NULL;
	vw_buffer_init(&body, 0);
	health_write_progress(facts, NOW, MONO, &body);
	assert_int_equal(vw_json_parse(vw_buffer_text(&body), body.len, "progress", &root, &err), 0);
	vw_buffer_reset(&body);
	return root;
}

static json_int_t number(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static void progress_says_more(void **state)
{
	(void)state;
	struct health_facts facts = enrolled();
	facts.uplink.rejection = VW_REJECTION_CLOCK_SKEW;
	vw_error_set(&facts.uplink.last_error, VW_EAUTH, "controller 10.1.2.3:9443: no");
	json_t *root = progress_of(&facts), *c = json_object_get(root, "controller");
	assert_true(json_is_true(json_object_get(root, "progressing")));
	assert_int_equal(json_array_size(json_object_get(root, "troubles")), 0);
	assert_string_equal(json_string_value(json_object_get(c, "state")), "connected");
	assert_string_equal(json_string_value(json_object_get(c, "rejection")), "clock_skew");
	assert_int_equal(number(c, "last_sequence"), 120);
	assert_int_equal(number(c, "sent_sequence"), 110);
	assert_int_equal(number(c, "acknowledged_sequence"), 100);
	assert_int_equal(number(c, "queued_entries"), 20);
	assert_int_equal(number(c, "waiting_seconds"), 5);
	assert_int_equal(number(c, "certificate_seconds_left"), 3 * 86400);
	assert_int_equal(number(c, "clock_offset_ms"), -1500);
	/* every user of this host may ask: a code, no text */
	assert_string_equal(json_string_value(json_object_get(c, "error")), vw_code_name(VW_EAUTH));
	char *text = json_dumps(root, 0);
	assert_null(strstr(text, "10.1.2.3"));
	free(text);
	json_decref(root);
	facts.uplink.certificate_not_after = 1;
	facts.uplink.phase = VW_UPLINK_REFUSED;
	root = progress_of(&facts);
	assert_false(json_is_true(json_object_get(root, "progressing")));
	assert_int_equal(json_array_size(json_object_get(root, "troubles")), 2);
	assert_int_equal(number(json_object_get(root, "controller"), "certificate_seconds_left"), 0);
	json_decref(root);
}

static void metrics_are_there(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "\nvw_agent_enrolled 1\n",
	    "\nvw_agent_paused 0\n",
	    "\nvw_agent_progressing 1\n",
	    "\nvw_agent_controller_connected 1\n",
	    "\nvw_agent_controller_state{state=\"connected\"} 1\n",
	    "\nvw_agent_controller_state{state=\"refused\"} 0\n",
	    "\nvw_agent_controller_rejected{reason=\"revoked\"} 1\n",
	    "\nvw_agent_controller_sent_sequence 110\n",
	    "\nvw_agent_controller_acknowledged_sequence 100\n",
	    "\nvw_agent_controller_queued_entries 20\n",
	    "\nvw_agent_controller_waiting_seconds 5.000\n",
	    "\nvw_agent_controller_last_acknowledgement_timestamp_seconds 1772366395.000\n",
	    "\nvw_agent_controller_certificate_expiry_timestamp_seconds 1772625600.001\n",
	    "\nvw_agent_controller_clock_offset_seconds -1.500\n",
	    "\nvw_agent_controller_connects_total 2\n",
	    "\nvw_agent_controller_batches_total 3\n",
	    "\nvw_agent_controller_entries_total 130\n",
	    "\nvw_agent_controller_sent_bytes_total 4096\n",
	    "\nvw_agent_controller_receipts_total 4\n",
	    "\nvw_agent_controller_resent_entries_total 10\n",
	};
	struct health_facts facts = enrolled();
	struct vw_buffer body;
	facts.uplink.rejection = VW_REJECTION_REVOKED;
	vw_buffer_init(&body, 0);
	health_write_metrics(&facts, NOW, MONO, &body);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(vw_buffer_text(&body), lines[i]))
			fail_msg("no line %s in\n%s", lines[i], vw_buffer_text(&body));
	vw_buffer_reset(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_not_green),
					   cmocka_unit_test(a_pause_is_no_trouble),
					   cmocka_unit_test(without_a_controller_none_of_it_counts),
					   cmocka_unit_test(progress_says_more), cmocka_unit_test(metrics_are_there)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
