/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/logind.c - see logind.h.
 *
 * Anybody on the system bus may send signals, also straight to us past what we
 * subscribed to. So each signal's sender is compared with who owns logind's name at
 * that moment: else any account could lock everybody's journals all day. What the
 * bus itself tells is trusted.
 */
#include "logind.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define SERVICE "org.freedesktop.login1"
#define OBJECT "/org/freedesktop/login1"
#define MANAGER "org.freedesktop.login1.Manager"
#define SESSION "org.freedesktop.login1.Session"
#define PATIENCE_US 2000000u

#define CALLS(X)                                                                                   \
	X(open_system)                                                                             \
	X(flush_close_unref)                                                                       \
	X(set_method_call_timeout)                                                                 \
	X(get_fd)                                                                                  \
	X(get_events)                                                                              \
	X(get_timeout)                                                                             \
	X(process)                                                                                 \
	X(match_signal)                                                                            \
	X(call_method)                                                                             \
	X(get_property_string)                                                                     \
	X(get_property_trivial)                                                                    \
	X(message_read)                                                                            \
	X(message_get_sender)                                                                      \
	X(message_unref)

#define POINTER(name) __typeof__(sd_bus_##name) *name;
struct logind {
	void *library;
	struct {
		CALLS(POINTER)
	} call;
	sd_bus *bus;
	char *session; /* object path; NULL: not in a login session */
	int inhibitor; /* while it is open, sleep waits for us; -1 none */
	unsigned what; /* LOGIND_* since the last look */
};

static int load(struct logind *l)
{
	/* Looked up by name: the functions need not be there when we are started. */
	l->library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!l->library)
		return -ENOENT;
#define LOOK_UP(name)                                                                              \
	*(void **)&l->call.name = dlsym(l->library, "sd_bus_" #name);                              \
	if (!l->call.name)                                                                         \
		return -ENOENT;
	CALLS(LOOK_UP)
	return 0;
}

/* Did logind itself send it? */
static bool is_logind(struct logind *l, sd_bus_message *m)
{
	const char *sender = l->call.message_get_sender(m), *owner = NULL;
	sd_bus_message *reply = NULL;
	bool is = false;

	if (sender &&
	    l->call.call_method(l->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
				"org.freedesktop.DBus", "GetNameOwner", NULL, &reply, "s",
				SERVICE) >= 0 &&
	    l->call.message_read(reply, "s", &owner) >= 0)
		is = !strcmp(owner, sender);
	l->call.message_unref(reply);
	return is;
}

/* Sleep waits for us from now on; where that is refused, the daemon locks when the computer wakes.
 */
static void inhibit(struct logind *l)
{
	sd_bus_message *reply = NULL;
	int fd = -1;

	if (l->inhibitor >= 0)
		return;
	if (l->call.call_method(l->bus, SERVICE, OBJECT, MANAGER, "Inhibit", NULL, &reply, "ssss",
				"sleep", "journalfs", "The journals are locked first",
				"delay") >= 0 &&
	    l->call.message_read(reply, "h", &fd) >= 0)
		l->inhibitor = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* the message closes its own */
	l->call.message_unref(reply);
}

static int on_sleep(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct logind *l = arg;
	int begins = 0;

	(void)error;
	if (!is_logind(l, m) || l->call.message_read(m, "b", &begins) < 0)
		return 0;
	if (begins)
		l->what |= LOGIND_SLEEP;
	else
		inhibit(l);
	return 0;
}

static int on_lock(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct logind *l = arg;

	(void)error;
	if (is_logind(l, m))
		l->what |= LOGIND_LOCK;
	return 0;
}

/* The login session that we belong to, or else the desktop's of this account. */
static void find_session(struct logind *l)
{
	sd_bus_message *reply = NULL;
	const char *path = NULL;

	if (l->call.call_method(l->bus, SERVICE, OBJECT, MANAGER, "GetSession", NULL, &reply, "s",
				"auto") >= 0 &&
	    l->call.message_read(reply, "o", &path) >= 0)
		l->session = strdup(path);
	l->call.message_unref(reply);
}

struct logind *tools_logind_open(void)
{
	struct logind *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->inhibitor = -1;
	if (load(l) || l->call.open_system(&l->bus) < 0 ||
	    l->call.set_method_call_timeout(l->bus, PATIENCE_US) < 0 ||
	    l->call.match_signal(l->bus, NULL, SERVICE, OBJECT, MANAGER, "PrepareForSleep",
				 on_sleep, l) < 0)
		goto fail;
	find_session(l);
	if (l->session && l->call.match_signal(l->bus, NULL, SERVICE, l->session, SESSION, "Lock",
					       on_lock, l) < 0)
		goto fail;
	inhibit(l);
	return l;
fail:
	tools_logind_close(l);
	return NULL;
}

void tools_logind_close(struct logind *l)
{
	if (!l)
		return;
	tools_logind_let_sleep(l);
	if (l->bus)
		l->call.flush_close_unref(l->bus);
	if (l->library)
		dlclose(l->library);
	free(l->session);
	free(l);
}

int tools_logind_fd(struct logind *l, short *events, int *timeout_ms)
{
	int asked = l->call.get_events(l->bus);
	uint64_t until = UINT64_MAX;
	struct timespec now;
	int64_t left;

	*events = (short)(asked > 0 ? asked : POLLIN);
	*timeout_ms = -1;
	if (l->call.get_timeout(l->bus, &until) >= 0 && until != UINT64_MAX) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = (int64_t)until / 1000 - ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
		*timeout_ms = left < 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
	}
	return l->call.get_fd(l->bus);
}

int tools_logind_process(struct logind *l, unsigned *what)
{
	int rc;

	do {
		rc = l->call.process(l->bus, NULL);
	} while (rc > 0);
	*what = l->what;
	l->what = 0;
	return rc;
}

void tools_logind_let_sleep(struct logind *l)
{
	if (l->inhibitor >= 0)
		close(l->inhibitor);
	l->inhibitor = -1;
}

/* A session type that has a desktop, which tells when it is idle. */
static bool has_desktop(struct logind *l)
{
	char *type = NULL;
	bool has = false;

	if (l->call.get_property_string(l->bus, SERVICE, l->session, SESSION, "Type", NULL,
					&type) >= 0)
		has = !strcmp(type, "x11") || !strcmp(type, "wayland") || !strcmp(type, "mir");
	free(type);
	return has;
}

int64_t tools_logind_idle_s(struct logind *l)
{
	uint64_t since_us = 0, now_us;
	struct timespec now;
	int idle = 0;

	if (!l->session || !has_desktop(l) ||
	    l->call.get_property_trivial(l->bus, SERVICE, l->session, SESSION, "IdleHint", NULL,
					 'b', &idle) < 0 ||
	    !idle ||
	    l->call.get_property_trivial(l->bus, SERVICE, l->session, SESSION,
					 "IdleSinceHintMonotonic", NULL, 't', &since_us) < 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return since_us && since_us < now_us ? (int64_t)((now_us - since_us) / 1000000) : 0;
}
