/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emergency access over the control socket: asked, found, opened, closed; what is forged opens nothing.
 */
#include "test_fs_control.h"

#define WORDS "\"ground\":\"danger\",\"reason\":\"unconscious, brought in by ambulance\""

/* Max, of another unit than anna's journal p, is this process's account. */
static void start_max(void)
{
	struct fs_session *dan, *anna, *max;
	char policy[T_POLICY_MAX];

	dan = t_clinic();
	t_edit(policy, "role physician clinical may list read write create",
	       "role physician clinical may list read write create break-glass");
	t_put(dan, "practice", policy);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "max", getuid());
	anna = t_login("anna", ANNA);
	t_make(anna, "p");
	max = t_login("max", getuid());
	t_ticks();
	t_logout(max);
	t_logout(anna);
	t_logout(dan);
	start(false, false);
}

static unsigned grants(void)
{
	return t.v->grant_count;
}

START_TEST(emergency_is_asked_for_opened_and_closed)
{
	int s;

	start_max();
	s = agent("max");
	ck_assert_int_eq(ask(s, "{\"verb\":\"glass-search\",\"part\":\"ppp\"}"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "journals")), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"glass-ask\",\"journal\":\"p\"}"), 0);
	ck_assert_int_eq(number_of("limit_s"), 3600);
	ck_assert(!json_is_true(json_object_get(answer.json, "blocked")));
	ck_assert(!json_is_true(json_object_get(answer.json, "needs_code")));
	ck_assert_int_eq(ask(s, "{\"verb\":\"glass\",\"journal\":\"p\"," WORDS "}"), 0);
	ck_assert_int_eq(number_of("number"), 1);
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"glass\",\"journal\":\"p\"," WORDS "}"), -EEXIST);
	ck_assert_int_eq(ask(s, "{\"verb\":\"glass-close\",\"journal\":\"p\"}"), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"glass-close\",\"journal\":\"p\"}"), -ENOENT);
	ck_assert_uint_eq(grants(), 1);
	close(s);
}
END_TEST

START_TEST(forged_messages_open_nothing)
{
	static const struct {
		const char *text;
		int rc;
	} forged[] = {
		{"{\"verb\":\"glass\",\"journal\":\"p\"}", -EINVAL},
		{"{\"verb\":\"glass\"," WORDS "}", -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":1," WORDS "}", -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":[\"p\"]," WORDS "}", -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"\"," WORDS "}", -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"q\"," WORDS "}", -ENOENT},
		{"{\"verb\":\"glass\",\"journal\":\"../p\"," WORDS "}", -ENOENT},
		{"{\"verb\":\"glass\",\"journal\":\"p\",\"ground\":\"fun\",\"reason\":\"unconscious, brought in\"}",
		 -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"p\",\"ground\":1,\"reason\":\"unconscious, brought in\"}",
		 -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"p\",\"ground\":\"danger\",\"reason\":\"\"}", -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"p\",\"ground\":\"danger\",\"reason\":\"short\"}", -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"p\",\"ground\":\"danger\",\"reason\":"
		 "\"two lines that are\\nlong enough\"}",
		 -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"p\",\"ground\":\"danger\",\"reason\":"
		 "\"\\u001b[2J escape sequences in it\"}",
		 -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"p\",\"pass_block\":\"yes\"," WORDS "}", -EINVAL},
		{"{\"verb\":\"glass\",\"journal\":\"p\",\"code\":123456," WORDS "}", -EINVAL},
		{"{\"verb\":\"glass-search\",\"part\":\"\"}", -EINVAL},
		{"{\"verb\":\"glass-search\",\"part\":\"pp\"}", -EINVAL},
		{"{\"verb\":\"glass-search\"}", -EINVAL},
		{"{\"verb\":\"glass-close\",\"journal\":\"p\"}", -ENOENT},
		{"{\"verb\":\"glass-close\",\"number\":1}", -EINVAL},
		{"{\"verb\":\"glass-ask\",\"journal\":\"none\"}", -ENOENT},
	};
	char text[6000], many[5001];
	int s;

	start_max();
	s = agent("max");
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
		ck_assert_msg(ask(s, forged[i].text) == forged[i].rc, "%s: %d", forged[i].text,
			      ask(s, forged[i].text));
	memset(many, 'x', sizeof(many));
	for (int len = 1001; len <= 5000; len += 3999) {
		snprintf(text, sizeof(text),
			 "{\"verb\":\"glass\",\"journal\":\"p\",\"ground\":\"danger\",\"reason\":\"%.*s\"}", len,
			 many);
		ck_assert_int_eq(ask(s, text), -EINVAL);
	}
	ck_assert_uint_eq(grants(), 0);
	close(s);
}
END_TEST

START_TEST(without_a_session_nothing_is_answered)
{
	static const char *const asked[] = {
		"{\"verb\":\"glass-ask\",\"journal\":\"p\"}",
		"{\"verb\":\"glass-search\",\"part\":\"ppp\"}",
		"{\"verb\":\"glass\",\"journal\":\"p\"," WORDS "}",
		"{\"verb\":\"glass-close\",\"journal\":\"p\"}",
	};
	int s, a;

	start_max();
	s = peer();
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		ck_assert_int_eq(ask(s, asked[i]), -ENOKEY);
	a = agent("max");
	ck_assert_int_eq(ask(a, "{\"verb\":\"lock\"}"), 0);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		ck_assert_int_eq(ask(s, asked[i]), -ENOKEY);
	ck_assert_uint_eq(grants(), 0);
	close(a);
	close(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/control: emergency access");
	TCase *tc = tcase_create("emergency");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, emergency_is_asked_for_opened_and_closed);
	tcase_add_test(tc, forged_messages_open_nothing);
	tcase_add_test(tc, without_a_session_nothing_is_answered);
	suite_add_tcase(s, tc);
	return t_run(s);
}
