/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs for auditors on the control socket: what comes over the descriptor, whose descriptors
 * are taken, readers who stop, close, lock or may not; what is in the log before anything is given.
 */
#include "../../fs/wire_fd.h"
#include "test_fs_control.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fs/audit_wire.h"

#define RECORDS "{\"verb\":\"audit-records\"}"

/* ---- a reader ---- */

struct reader {
	int fd;
	uint8_t *p;
	size_t len, cap;
	bool ended; /* by the last frame */
};

static void read_all(struct reader *r)
{
	ssize_t n;

	do {
		if (r->cap - r->len < 65536) {
			r->cap = 2 * r->cap + 65536;
			r->p = realloc(r->p, r->cap);
			ck_assert_ptr_nonnull(r->p);
		}
		n = read(r->fd, r->p + r->len, r->cap - r->len);
		if (n > 0)
			r->len += (size_t)n;
	} while (n > 0);
}

static void *read_thread(void *arg)
{
	read_all(arg);
	return NULL;
}

/* The request with one end of a pair, all that comes at the other; the answer is in `answer`. */
static int stream(int s, const char *text, const void *blob, size_t blob_len, struct reader *r)
{
	pthread_t thread;
	int pair[2], rc;

	*r = (struct reader){.fd = -1};
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	r->fd = pair[0];
	ck_assert_int_eq(pthread_create(&thread, NULL, read_thread, r), 0);
	{
		json_t *json = json_loads(text, 0, NULL);

		ck_assert_ptr_nonnull(json);
		ck_assert_int_eq(fs_wire_send(s, json, blob, blob_len, pair[1]), 0);
		json_decref(json);
	}
	close(pair[1]);
	ck_assert_int_eq(next(s, false), 0);
	rc = result();
	pthread_join(thread, NULL);
	close(r->fd);
	r->ended = r->len >= 4 && !memcmp(r->p + r->len - 4, "\0\0\0\0", 4);
	return rc;
}

/* The same, of which only the answer is of interest. */
static int stream_refused(int s, const char *text)
{
	struct reader r;
	int rc = stream(s, text, NULL, 0, &r);

	free(r.p);
	return rc;
}

/* The frame at *off; NULL behind the last one. */
static const uint8_t *frame(const struct reader *r, size_t *off, size_t *len)
{
	struct bytes_in in = bytes_in(r->p + *off, r->len - *off);
	const uint8_t *at;

	*len = bytes_get_u32(&in);
	at = bytes_take(&in, *len);
	ck_assert(!in.bad);
	*off += 4 + *len;
	return *len ? at : NULL;
}

static unsigned records_of(const struct reader *r, uint8_t kind, const char *detail)
{
	static struct policy_record_note notes[8192];
	static struct policy_record rec;
	const uint8_t *p;
	unsigned n = 0;
	size_t off = 0, len;

	while ((p = frame(r, &off, &len))) {
		ck_assert_int_eq(policy_record_decode(p, len, &rec, notes, 8192), 0);
		n += (!kind || rec.kind == kind) && (!detail || strstr(rec.detail, detail));
	}
	ck_assert_uint_eq(off, r->len);
	return n;
}

static void fill_log(unsigned n, size_t size)
{
	struct policy_record r;

	for (unsigned i = 0; i < n; i++) {
		policy_record_init(&r, POLICY_RECORD_OPEN);
		snprintf(r.detail, sizeof(r.detail), "filled %0*u", (int)size, i);
		ck_assert_int_eq(fs_log_append(fs_vault_log(t.v), &r, NULL), 0);
	}
	ck_assert_int_eq(fs_log_wait(fs_vault_log(t.v), 0), 0);
}

/* ---- what comes ---- */

START_TEST(records_come_as_frames_and_the_reading_is_among_them)
{
	struct reader r;
	int s;

	start_alone();
	s = agent("anna");
	fill_log(500, 300);
	ck_assert_int_eq(
		stream(s, "{\"verb\":\"audit-records\",\"purpose\":\"audit test\"}", NULL, 0, &r),
		0);
	ck_assert(r.ended);
	ck_assert_uint_eq(records_of(&r, POLICY_RECORD_OPEN, "filled"), 500);
	ck_assert_uint_eq(records_of(&r, POLICY_RECORD_AUDIT, "the log was read, for audit test"),
			  1);
	ck_assert_int_eq(number_of("unread"), 0);
	ck_assert_int_gt(number_of("durable"), 500);
	free(r.p);
	close(s);
}
END_TEST

START_TEST(policies_come_oldest_first_with_who_and_why)
{
	struct policy_past_change c;
	unsigned n = 0, last = 0;
	const uint8_t *p;
	struct reader r;
	char *store;
	size_t off = 0, len;
	int s;

	start_clinic();
	s = agent("dan");
	ck_assert_int_eq(stream(s, "{\"verb\":\"audit-policies\"}", NULL, 0, &r), 0);
	while ((p = frame(&r, &off, &len))) {
		ck_assert_int_eq(fs_audit_change_decode(p, len, &c, &store), 0);
		ck_assert_uint_gt(c.version, last);
		ck_assert_ptr_null(c.name);
		last = c.version;
		if (++n == 2) {
			ck_assert_str_eq(c.text, CLINIC_POLICY);
			ck_assert_str_eq(c.who, "dan");
		}
		free(store);
	}
	ck_assert_uint_eq(n, 2);
	ck_assert(r.ended);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AUDIT, "all versions of the policies"), 1);
	free(r.p);
	close(s);
}
END_TEST

START_TEST(segments_come_byte_for_byte)
{
	char path[200];
	struct reader r;
	uint8_t *disk = malloc(9u << 20);
	uint8_t *got = malloc(9u << 20);
	const uint8_t *p;
	size_t off = 0, len, have = 0;
	ssize_t n;
	int s, fd;

	start_alone();
	s = agent("anna");
	fill_log(200, 300);
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit-segments\",\"purpose\":\"audit copy\"}"), 0);
	ck_assert_uint_ge(json_array_size(json_object_get(answer.json, "segments")), 1);
	ck_assert_int_eq(stream(s, "{\"verb\":\"audit-segment\",\"number\":1,\"part\":\"seg\"}",
				NULL, 0, &r),
			 0);
	snprintf(path, sizeof(path), "%s/log/00000001.seg", t.vault);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, disk, 9u << 20);
	close(fd);
	ck_assert_int_eq(number_of("bytes"), n);
	while ((p = frame(&r, &off, &len))) {
		memcpy(got + have, p, len);
		have += len;
	}
	ck_assert_int_eq((ssize_t)have, n);
	ck_assert_mem_eq(disk, got, 4096);
	free(r.p);
	ck_assert_int_eq(
		stream_refused(s, "{\"verb\":\"audit-segment\",\"number\":99,\"part\":\"seg\"}"),
		-ENOENT);
	ck_assert_int_eq(
		stream_refused(s,
			       "{\"verb\":\"audit-segment\",\"number\":1,\"part\":\"../header\"}"),
		-EINVAL);
	ck_assert_int_eq(
		stream_refused(s, "{\"verb\":\"audit-segment\",\"number\":1,\"part\":\"../head\"}"),
		-EINVAL);
	ck_assert_int_eq(
		stream_refused(s, "{\"verb\":\"audit-segment\",\"number\":0,\"part\":\"archive\"}"),
		-ENOENT);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AUDIT, "sealed, for audit copy"), 1);
	free(disk);
	free(got);
	close(s);
}
END_TEST

START_TEST(segment_without_the_list_is_logged_before_it_comes)
{
	struct reader r;
	int s;

	start_alone();
	s = agent("anna");
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(
			stream(s, "{\"verb\":\"audit-segment\",\"number\":1,\"part\":\"seg\"}",
			       NULL, 0, &r),
			0);
		ck_assert_uint_gt(r.len, 4096);
		free(r.p);
		/* The second one is the same taking; the third is long after. */
		ck_assert_uint_eq(t_logged(POLICY_RECORD_AUDIT, "segments were taken"),
				  i < 2 ? 1 : 2);
		if (i)
			skew_s += 601;
	}
	close(s);
}
END_TEST

START_TEST(keys_of_streams_come_once_they_are_logged_or_sealed)
{
	uint8_t seal[KEYS_LEN], got[KEYS_LEN], k0[KEYS_LEN];
	struct fs_audit_key k;
	struct reader r;
	const uint8_t *p;
	size_t off = 0, len;
	unsigned streams = 0, daemons = 0;
	int s;

	start_alone();
	s = agent("anna");
	ck_assert_int_eq(stream(s, "{\"verb\":\"audit-streams\"}", NULL, 0, &r), 0);
	ck_assert_str_eq(text_of("who"), "anna");
	while ((p = frame(&r, &off, &len))) {
		if (len == KEYS_LEN) {
			daemons++;
			continue;
		}
		ck_assert_int_eq(fs_audit_key_decode(p, len, &k), 0);
		ck_assert_uint_eq(k.key_len, KEYS_LEN);
		if (!streams++)
			memcpy(k0, k.key, KEYS_LEN);
	}
	ck_assert_uint_ge(streams, 1);
	ck_assert_uint_ge(daemons, 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_EXPORT, "keys of the access log"), 1);
	free(r.p);
	memset(seal, 7, sizeof(seal));
	off = 0;
	ck_assert_int_eq(stream(s, "{\"verb\":\"audit-streams\"}", seal, sizeof(seal), &r), 0);
	do
		p = frame(&r, &off, &len);
	while (p && len == KEYS_LEN);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(fs_audit_key_decode(p, len, &k), 0);
	ck_assert_uint_eq(k.key_len, KEYS_AUDIT_WRAP_LEN);
	ck_assert_int_eq(keys_audit_unwrap(k0, fs_vault_id(t.v), k.stream, k.key, got), 0);
	ck_assert_mem_eq(got, seal, KEYS_LEN);
	ck_assert_ptr_null(memmem(r.p, r.len, k0, KEYS_LEN));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_EXPORT, "keys of the access log"), 1);
	free(r.p);
	close(s);
}
END_TEST

START_TEST(sign_off_says_something_and_is_logged)
{
	int s;

	start_alone();
	s = agent("anna");
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit-sign-off\",\"what\":\"1 of 1000, seed 7\","
				"\"findings\":\"nothing\"}"),
			 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit-sign-off\",\"what\":\"  \",\"findings\":\"x\"}"),
			 -EINVAL);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LOG_REVIEW, "1 of 1000, seed 7"), 1);
	close(s);
}
END_TEST

START_TEST(checkpoint_is_of_this_vault_and_verifies)
{
	char name[KEYS_CHECKPOINT_NAME];
	struct keys_signed_note note;
	struct keys_checkpoint c;
	uint8_t pk[KEYS_LEN];
	int s;

	start_alone();
	s = agent("anna");
	ck_assert_int_eq(ask(s, "{\"verb\":\"log-checkpoint\"}"), 0);
	ck_assert_int_eq(
		keys_signed_note_parse(text_of("checkpoint"), strlen(text_of("checkpoint")), &note),
		0);
	ck_assert_int_eq(keys_checkpoint_read(&note, &c), 0);
	ck_assert_mem_eq(c.vault, fs_vault_id(t.v), KEYS_VAULT_ID_LEN);
	ck_assert_int_eq(keys_note_vkey_parse(text_of("vkey"), name, pk), 0);
	ck_assert_int_eq(keys_checkpoint_verify(&note, c.vault, pk, true), 0);
	close(s);
}
END_TEST

/* ---- who may ---- */

START_TEST(without_the_right_nothing_comes_and_the_try_is_logged)
{
	static const struct {
		const char *text, *logged;
		bool fd;
	} tries[] = {
		{RECORDS, "reading the log", true},
		{"{\"verb\":\"audit-streams\"}", "exporting keys of the log", true},
	};
	struct reader r;
	int s;

	start_clinic(); /* dan is steward and no auditor */
	s = agent("dan");
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(stream(s, tries[i].text, NULL, 0, &r), -EACCES);
		ck_assert_uint_eq(r.len, 0);
		ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, tries[i].logged), 1);
		free(r.p);
	}
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit-sign-off\",\"what\":\"w\",\"findings\":\"f\"}"),
			 -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "signing off a review"), 1);
	/* A steward may take what is sealed and what the policies were. */
	ck_assert_int_eq(ask(s, "{\"verb\":\"audit-segments\"}"), 0);
	close(s);
}
END_TEST

START_TEST(practitioner_without_any_right_takes_nothing)
{
	struct fs_session *dan;
	struct reader r;
	int s, mine;

	if (!as_root("practitioner_without_any_right_takes_nothing"))
		return;
	start_clinic();
	s = agent("dan");
	dan = fs_vault_session_of(t.v, getuid());
	t_enroll(dan, "bo", BO);
	fs_session_put(dan);
	mine = dial_as(BO);
	ck_assert_int_eq(greet(mine), 0);
	ck_assert_int_eq(try_login(mine, "bo", "bo"), 0);
	ck_assert_int_eq(ask(mine, "{\"verb\":\"audit-segments\"}"), -EACCES);
	ck_assert_int_eq(ask(mine, "{\"verb\":\"log-checkpoint\"}"), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "taking the log's segments"), 1);
	/* Not with a descriptor of another account either: this pair is root's. */
	ck_assert_int_eq(stream(mine, "{\"verb\":\"audit-policies\"}", NULL, 0, &r), -EINVAL);
	ck_assert_uint_eq(r.len, 0);
	free(r.p);
	close(mine);
	close(s);
}
END_TEST

START_TEST(locked_session_gets_nothing)
{
	struct reader r;
	int s;

	start_alone();
	s = agent("anna");
	ck_assert_int_eq(ask(s, "{\"verb\":\"lock\"}"), 0);
	ck_assert_int_eq(stream(s, RECORDS, NULL, 0, &r), -ENOKEY);
	ck_assert_uint_eq(r.len, 0);
	free(r.p);
	close(s);
}
END_TEST

/* ---- hostile descriptors ---- */

static int listening_socket(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/listening", t.base);
	unlink(at.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* A connection to a service that has a name, as the system's are. */
static int connected_socket(int *listener)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*listener = listening_socket();
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/listening", t.base);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

START_TEST(descriptors_that_are_no_pair_of_streams_are_refused)
{
	int fds[12], n = 0, s, pair[2], listener;

	start_alone();
	s = agent("anna");
	fds[n++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[n++] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fds[n++] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	fds[n++] = open(t.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[n++] = memfd_create("file", MFD_CLOEXEC);
	fds[n++] = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	fds[n++] = pair[1];
	fds[n++] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[n++] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[n++] = connected_socket(&listener);
	fds[n++] = listener;
	close(pair[0]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	fds[n++] = pair[1];
	for (int i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		ck_assert_msg(call(s, RECORDS, NULL, 0, fds[i]) == -EINVAL,
			      "descriptor %d was taken", i);
		ck_assert_ptr_nonnull(strstr(text_of("say"), "stream sockets"));
		close(fds[i]);
	}
	ck_assert_int_eq(call(s, RECORDS, NULL, 0, -1), -EINVAL);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AUDIT, "the log was read"), 0);
	close(pair[0]);
	close(s);
}
END_TEST

/*
 * A descriptor whose close waits 1000 seconds for its other end, as that of a file does whose own
 * file system answers nothing. *end is the other end.
 */
static int lingering(int *end)
{
	struct linger wait = {.l_onoff = 1, .l_linger = 1000};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	static const uint8_t much[65536];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, len), 0);
	*end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(*end, 0);
	close(listener);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)), 0);
	/* Full for good: what the other end's kernel takes a moment later would let the close go. */
	for (unsigned full = 0; full < 5;) {
		if (send(fd, much, sizeof(much), MSG_DONTWAIT) > 0) {
			full = 0;
		} else {
			full++;
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		}
	}
	return fd;
}

/* Of a frame so many bytes, and the descriptor with the first; ours is closed. */
static void send_part(int s, const void *bytes, size_t len, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} room = {{0}};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = room.bytes,
			   .msg_controllen = sizeof(room.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(s, &m, MSG_NOSIGNAL), (ssize_t)len);
	close(fd);
}

/* A connection that is busy with a stream nobody reads: what is sent next waits in the kernel. */
static int busy_peer(int *reader)
{
	json_t *json = json_loads(RECORDS, 0, NULL);
	int s = peer(), pair[2];
	char byte;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(fs_wire_send(s, json, NULL, 0, pair[1]), 0);
	json_decref(json);
	close(pair[1]);
	ck_assert_int_eq(read(pair[0], &byte, 1), 1);
	*reader = pair[0];
	return s;
}

START_TEST(descriptor_whose_close_waits_delays_nobody)
{
	static const struct {
		const char *bytes;
		size_t len;
	} of[] = {{"", 1},			 /* a frame that never ends */
		  {"\xff\xff\xff\xff\0\0\0", 8}, /* one too long */
		  {"\2\0\0\0\0\0\0\0{}", 10},	 /* no verb at all */
		  {"\2\0\0\0\0\0\0\0{]", 10}};	 /* no JSON */
	enum { N = sizeof(of) / sizeof(of[0]) };
	int end[N + 1], s, other, reader;

	start_alone();
	s = agent("anna");
	fill_log(3000, 600);
	for (unsigned i = 0; i < N; i++) {
		other = busy_peer(&reader);
		send_part(other, of[i].bytes, of[i].len, lingering(&end[i]));
		close(reader);
		/* The stream's answer; then what the frame leads to, or nothing. */
		ck_assert_int_eq(next(other, false), 0);
		if (i)
			(void)next(other, false);
		close(other);
		ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	}
	/* One that the daemon never received: it goes with the connection. */
	other = busy_peer(&reader);
	send_part(other, of[0].bytes, of[0].len, lingering(&end[N]));
	close(other);
	close(reader);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	/* Nor does the daemon's end wait. */
	close(s);
	stop();
	for (unsigned i = 0; i <= N; i++)
		close(end[i]);
}
END_TEST

START_TEST(account_that_uses_descriptors_up_is_not_read_any_more)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	int end, s, other;

	start_alone();
	s = agent("anna");
	fs_wire_fd_drop(getuid(), lingering(&end));
	for (unsigned i = 0; i <= FS_WIRE_FD_MANY + 1; i++)
		fs_wire_fd_drop(getuid(), dup(0));
	ck_assert_uint_gt(fs_wire_fd_waiting(getuid()), FS_WIRE_FD_MANY);
	ck_assert_uint_eq(fs_wire_fd_waiting(getuid() + 1), 0);
	/* It is accepted, to be closed when its turn comes; who is connected goes on. */
	other = dial();
	ck_assert_int_ge(other, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	ck_assert_int_le(send(other, "x", 1, MSG_NOSIGNAL), 1);
	/* The other end gives way: all is closed, and it may come again. */
	close(end);
	for (unsigned i = 0; i < 1000 && fs_wire_fd_waiting(getuid()); i++)
		nanosleep(&moment, NULL);
	ck_assert_uint_eq(fs_wire_fd_waiting(getuid()), 0);
	close(other);
	close(agent("anna"));
	close(s);
	stop();
}
END_TEST

/* ---- readers who stop ---- */

START_TEST(account_has_few_streams_at_once)
{
	enum { MOST = 4 };
	int slow[MOST], reader[MOST], s;
	struct reader r;

	start_alone();
	s = agent("anna");
	fill_log(3000, 600);
	for (int i = 0; i < MOST; i++)
		slow[i] = busy_peer(&reader[i]);
	ck_assert_int_eq(stream(s, RECORDS, NULL, 0, &r), -EBUSY);
	ck_assert_uint_eq(r.len, 0);
	free(r.p);
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	close(reader[0]);
	ck_assert_int_eq(next(slow[0], false), 0);
	ck_assert_int_eq(stream(s, RECORDS, NULL, 0, &r), 0);
	free(r.p);
	for (int i = 0; i < MOST; i++) {
		if (i)
			close(reader[i]);
		close(slow[i]);
	}
	close(s);
}
END_TEST

START_TEST(reader_who_takes_nothing_is_let_go_and_delays_nobody)
{
	int slow, good, pair[2], rc = -EAGAIN;
	json_t *json = json_loads(RECORDS, 0, NULL);

	start_alone();
	good = agent("anna");
	slow = peer();
	fill_log(3000, 600);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(fs_wire_send(slow, json, NULL, 0, pair[1]), 0);
	close(pair[1]);
	json_decref(json);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ask(good, "{\"verb\":\"list\"}"), 0);
	for (int round = 0; round < 100 && rc; round++) {
		struct pollfd p = {.fd = slow, .events = POLLIN};

		skew_s += 11;
		rc = poll(&p, 1, 500) == 1 ? 0 : -EAGAIN;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(next(slow, false), 0);
	ck_assert_int_eq(result(), -ETIMEDOUT);
	close(pair[0]);
	close(slow);
	close(good);
}
END_TEST

START_TEST(reader_who_closes_has_enough_and_is_not_refused)
{
	json_t *json = json_loads(RECORDS, 0, NULL);
	char few[1000];
	int s, pair[2];

	start_alone();
	s = agent("anna");
	fill_log(3000, 600);
	for (int i = 0; i < 30; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		ck_assert_int_eq(fs_wire_send(s, json, NULL, 0, pair[1]), 0);
		close(pair[1]);
		ck_assert_int_gt(read(pair[0], few, sizeof(few)), 0);
		close(pair[0]);
		ck_assert_int_eq(next(s, false), 0);
		ck_assert_int_eq(result(), 0);
	}
	json_decref(json);
	close(s);
}
END_TEST

START_TEST(locking_ends_a_stream_that_is_under_way)
{
	json_t *json = json_loads(RECORDS, 0, NULL);
	struct reader r = {.fd = -1};
	uint8_t few[1000];
	int s, other, pair[2];

	start_alone();
	s = agent("anna");
	other = peer();
	fill_log(3000, 600);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(fs_wire_send(other, json, NULL, 0, pair[1]), 0);
	close(pair[1]);
	json_decref(json);
	ck_assert_int_gt(read(pair[0], few, sizeof(few)), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"lock\"}"), 0);
	r.fd = pair[0];
	read_all(&r);
	ck_assert(r.len < 4 || memcmp(r.p + r.len - 4, "\0\0\0\0", 4) != 0);
	ck_assert_int_eq(next(other, false), 0);
	ck_assert_int_eq(result(), -ENOKEY);
	free(r.p);
	close(pair[0]);
	close(other);
	close(s);
}
END_TEST

START_TEST(daemon_that_stops_waits_for_no_reader)
{
	json_t *json = json_loads(RECORDS, 0, NULL);
	uint8_t few[1000];
	int s, pair[2];

	start_alone();
	s = agent("anna");
	fill_log(3000, 600);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(fs_wire_send(s, json, NULL, 0, pair[1]), 0);
	close(pair[1]);
	json_decref(json);
	ck_assert_int_gt(read(pair[0], few, sizeof(few)), 0);
	stop();
	close(pair[0]);
	close(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fs/control_audit");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 180);
	tcase_add_test(tc, records_come_as_frames_and_the_reading_is_among_them);
	tcase_add_test(tc, policies_come_oldest_first_with_who_and_why);
	tcase_add_test(tc, segments_come_byte_for_byte);
	tcase_add_test(tc, segment_without_the_list_is_logged_before_it_comes);
	tcase_add_test(tc, keys_of_streams_come_once_they_are_logged_or_sealed);
	tcase_add_test(tc, sign_off_says_something_and_is_logged);
	tcase_add_test(tc, checkpoint_is_of_this_vault_and_verifies);
	tcase_add_test(tc, without_the_right_nothing_comes_and_the_try_is_logged);
	tcase_add_test(tc, practitioner_without_any_right_takes_nothing);
	tcase_add_test(tc, locked_session_gets_nothing);
	tcase_add_test(tc, descriptors_that_are_no_pair_of_streams_are_refused);
	tcase_add_test(tc, descriptor_whose_close_waits_delays_nobody);
	tcase_add_test(tc, account_that_uses_descriptors_up_is_not_read_any_more);
	tcase_add_test(tc, account_has_few_streams_at_once);
	tcase_add_test(tc, reader_who_takes_nothing_is_let_go_and_delays_nobody);
	tcase_add_test(tc, reader_who_closes_has_enough_and_is_not_refused);
	tcase_add_test(tc, locking_ends_a_stream_that_is_under_way);
	tcase_add_test(tc, daemon_that_stops_waits_for_no_reader);
	suite_add_tcase(suite, tc);
	return t_run(suite);
}
