/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emergency accesses over the control socket: shown, judged, and verdicts that somebody forges.
 */
#include "test_fs_control.h"

/* The steward, who may also review, is this process's account; max, of another unit and account,
 * had one. */
static void start_emergency(void)
{
	const struct fs_glass_open in = {.journal = "p",
					 .ground = FS_GLASS_DUTY,
					 .reason = "on call, nobody else is there",
					 .code = ""};
	struct fs_session *steward, *anna, *max;
	char policy[T_POLICY_MAX], *at;
	struct fs_grant g;

	ck_assert_msg(t_init("dan", NULL, getuid()) == 0, "%s", t.say.text);
	t_open();
	ck_assert_msg(t_try_enroll(t.made.code, "dan", getuid(), "dan") == 0, "%s", t.say.text);
	steward = t_login("dan", getuid());
	t_edit(policy, "role physician clinical may list read write create",
	       "role physician clinical may list read write create break-glass");
	at = strstr(policy, "role steward may policy\n");
	memmove(at + 30, at + 23, strlen(at + 23) + 1);
	memcpy(at + 23, " review", 7);
	t_put(steward, "practice", policy);
	t_enroll(steward, "anna", ANNA);
	t_enroll(steward, "max", MAX);
	anna = t_login("anna", ANNA);
	t_make(anna, "p");
	max = t_login("max", MAX);
	t_ticks();
	ck_assert_msg(fs_vault_glass_open(t.v, max, &in, &g, &t.say) == 0, "%s", t.say.text);
	t_logout(steward);
	t_logout(anna);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	t_logout(max);
	start(false, false);
}

START_TEST(emergencies_are_shown_and_judged_over_the_socket)
{
	const json_t *one, *status;
	int s;

	start_emergency();
	s = agent("dan");
	ck_assert_int_eq(ask(s, "{\"verb\":\"status\"}"), 0);
	status = json_object_get(answer.json, "emergency");
	ck_assert_int_eq(json_integer_value(json_object_get(status, "pending")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(status, "mine")), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"grants\",\"state\":\"pending-review\"}"), 0);
	one = json_array_get(json_object_get(answer.json, "grants"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(one, "who")), "max");
	ck_assert_str_eq(json_string_value(json_object_get(one, "journal")), "p");
	ck_assert_str_eq(json_string_value(json_object_get(one, "ground")), "duty");
	ck_assert_int_eq(ask(s, "{\"verb\":\"grants\",\"state\":\"open\"}"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "grants")), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"grants\",\"state\":\"lost\"}"), -EINVAL);
	ck_assert_int_eq(ask(s, "{\"verb\":\"grant-show\",\"number\":1}"), 0);
	ck_assert_ptr_nonnull(json_object_get(answer.json, "grant"));
	ck_assert(json_is_true(json_object_get(answer.json, "more")));
	ck_assert_int_eq(next(s, false), 0);
	ck_assert_uint_ge(json_array_size(json_object_get(answer.json, "acts")), 2);
	ck_assert_int_eq(ask(s,
			     "{\"verb\":\"grant-judge\",\"number\":1,\"verdict\":\"unjustified\","
			     "\"note\":\"was not on call\"}"),
			 0);
	ck_assert_int_eq(number_of("deviation"), 1);
	ck_assert_int_eq(ask(s, "{\"verb\":\"grant-judge\",\"number\":1,\"verdict\":\"justified\","
				"\"note\":\"was on call\"}"),
			 -EALREADY);
	ck_assert_int_eq(ask(s, "{\"verb\":\"grant-pairs\"}"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "pairs")), 0);
	close(s);
}
END_TEST

START_TEST(forged_verdicts_are_refused)
{
	static const struct {
		const char *fields;
		int rc;
	} forged[] = {
		{"\"number\":\"1\",\"verdict\":\"justified\",\"note\":\"n\"", -EINVAL},
		{"\"number\":1.0,\"verdict\":\"justified\",\"note\":\"n\"", -EINVAL},
		{"\"number\":-1,\"verdict\":\"justified\",\"note\":\"n\"", -EINVAL},
		{"\"number\":0,\"verdict\":\"justified\",\"note\":\"n\"", -EINVAL},
		{"\"number\":4294967297,\"verdict\":\"justified\",\"note\":\"n\"", -EINVAL},
		{"\"number\":2,\"verdict\":\"justified\",\"note\":\"n\"", -ENOENT},
		{"\"number\":4294967295,\"verdict\":\"justified\",\"note\":\"n\"", -ENOENT},
		{"\"number\":1,\"verdict\":\"pending\",\"note\":\"n\"", -EINVAL},
		{"\"number\":1,\"verdict\":2,\"note\":\"n\"", -EINVAL},
		{"\"number\":1,\"verdict\":\"justified\"", -EINVAL},
		{"\"number\":1,\"verdict\":\"justified\",\"note\":\"\"", -EINVAL},
		{"\"number\":1,\"verdict\":\"justified\",\"note\":\"a\\nb\"", -EINVAL},
		{"\"number\":1,\"verdict\":\"justified\",\"note\":\"\\u001b[2J\"", -EINVAL},
		{"\"number\":1,\"verdict\":\"justified\",\"note\":[\"n\"]", -EINVAL},
		{"\"number\":1,\"verdict\":\"settled\",\"note\":\"n\"", -EINVAL},
	};
	char text[6000], note[5001];
	int s;

	start_emergency();
	s = agent("dan");
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		snprintf(text, sizeof(text), "{\"verb\":\"grant-judge\",%s}", forged[i].fields);
		ck_assert_msg(ask(s, text) == forged[i].rc, "%s", text);
	}
	memset(note, 'x', sizeof(note));
	for (int len = 1001; len <= 5000; len += 3999) {
		snprintf(text, sizeof(text),
			 "{\"verb\":\"grant-judge\",\"number\":1,\"verdict\":"
			 "\"justified\",\"note\":\"%.*s\"}",
			 len, note);
		ck_assert_int_eq(ask(s, text), -EINVAL);
	}
	ck_assert_int_eq(ask(s, "{\"verb\":\"grants\"}"), 0);
	ck_assert_str_eq(
		json_string_value(json_object_get(
			json_array_get(json_object_get(answer.json, "grants"), 0), "state")),
		"pending-review");
	close(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_control_review");
	TCase *tc = tcase_create("review");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, emergencies_are_shown_and_judged_over_the_socket);
	tcase_add_test(tc, forged_verdicts_are_refused);
	suite_add_tcase(s, tc);
	return t_run(s);
}
