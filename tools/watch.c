/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/watch.c - see watch.h.
 *
 * Requests to lock are sent on the session's own connection and answered in their
 * order, between events. Nothing here waits for an answer: the loop goes on, and
 * sleep is let go when the last request is answered. Should no answer come, logind
 * itself goes on after its own patience (5 s), and the daemon locks at the latest
 * when the computer wakes.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "logind.h"
#include "plain.h"

#define LOOK_MS 60000 /* how often an idle desktop is asked for, and a lost bus tried again */

struct watching {
	struct client *cl;
	struct logind *desk; /* NULL: nothing to listen to */
	int signals;
	bool aloud;
	bool locked;	  /* as the daemon told */
	bool sleeping;	  /* sleep waits for the answers */
	unsigned pending; /* requests without an answer */
	int64_t look_ms;  /* when to look at the desktop again */
	int64_t since_ms; /* log-in or the last unlock: an earlier idleness does not count */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void ask_lock(struct watching *w, const char *because, int64_t idle_s)
{
	json_t *json = json_pack("{s:s, s:b, s:s, s:I}", "verb", "lock", "own", 1, "because",
				 because, "idle_s", (json_int_t)idle_s);

	/* A lost connection is seen by the poll. */
	if (json && !fs_wire_send(w->cl->sock, json, NULL, 0, -1))
		w->pending++;
	json_decref(json);
}

static void say_end(const struct watching *w, const char *why)
{
	if (!w->aloud)
		return;
	fputs("journalfs: the session is over: ", stderr);
	tools_plain_put(stderr, why ? why : "the daemon ended it", 0);
	fputc('\n', stderr);
}

static void hear_event(struct watching *w, const char *event)
{
	w->locked = !strcmp(event, "locked");
	if (!strcmp(event, "unlocked"))
		w->since_ms = now_ms();
}

static void let_sleep(struct watching *w)
{
	if (!w->sleeping || w->pending)
		return;
	w->sleeping = false;
	if (w->desk)
		tools_logind_let_sleep(w->desk);
}

static void hear_answer(struct watching *w)
{
	if (w->pending)
		w->pending--;
	let_sleep(w);
}

/* One frame of the daemon's. False: the session is over. */
static bool hear_daemon(struct watching *w)
{
	struct fs_wire_message m;
	const char *event;
	bool go = false;

	fs_wire_message_init(&m);
	if (!fs_wire_receive(w->cl->sock, &m, 10000)) {
		event = json_string_value(json_object_get(m.json, "event"));
		go = !event || strcmp(event, "ended") != 0;
		if (!go)
			say_end(w, json_string_value(json_object_get(m.json, "why")));
		else if (event)
			hear_event(w, event);
		else
			hear_answer(w);
	}
	fs_wire_message_clear(&m);
	return go;
}

static void hear_desk(struct watching *w)
{
	unsigned what = 0;

	if (tools_logind_process(w->desk, &what) < 0) {
		tools_logind_close(w->desk);
		w->desk = NULL;
	}
	if (what & LOGIND_SLEEP) {
		w->sleeping = true;
		ask_lock(w, "sleep", 0);
	}
	if (what & LOGIND_LOCK)
		ask_lock(w, "screen", 0);
	/* Where it could not be asked, sleep need not wait. */
	let_sleep(w);
}

static void look(struct watching *w)
{
	int64_t idle_s, own_s = (now_ms() - w->since_ms) / 1000;

	w->look_ms = now_ms() + LOOK_MS;
	if (!w->desk)
		w->desk = tools_logind_open();
	idle_s = w->desk && !w->locked ? tools_logind_idle_s(w->desk) : 0;
	/* Whoever has just unlocked, from elsewhere maybe, has this long again. */
	if (idle_s > own_s)
		idle_s = own_s;
	if (idle_s > 0)
		ask_lock(w, "idle", idle_s);
}

static bool turn(struct watching *w)
{
	struct pollfd p[3] = {{.fd = w->cl->sock, .events = POLLIN},
			      {.fd = w->signals, .events = POLLIN},
			      {.fd = -1}};
	int64_t left = w->look_ms - now_ms();
	int ms = -1;

	if (w->desk)
		p[2].fd = tools_logind_fd(w->desk, &p[2].events, &ms);
	if (left < 0)
		left = 0;
	if (ms < 0 || ms > left)
		ms = (int)left;
	if (poll(p, 3, ms) < 0)
		return errno == EINTR;
	if (p[1].revents || (p[0].revents && !hear_daemon(w)))
		return false;
	if (w->desk) /* also what a call has read meanwhile */
		hear_desk(w);
	if (now_ms() >= w->look_ms)
		look(w);
	return true;
}

void tools_watch(struct client *cl, int signals, bool aloud)
{
	struct watching w = {.cl = cl, .signals = signals, .aloud = aloud};

	w.desk = tools_logind_open();
	w.since_ms = now_ms();
	w.look_ms = w.since_ms + LOOK_MS;
	while (turn(&w))
		;
	tools_logind_close(w.desk);
}
