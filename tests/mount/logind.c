/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A logind for tests, on a bus of its own: what an agent listens to and asks for, no more.
 *
 * Commands on standard input, each answered by a line: `sleep` (announced; "released" when nobody
 * holds it back any more, "held" after 5 s), `wake`, `lock` (of the login session), `idle N`
 * seconds, `active`, `type T`, `who` (the bus name of who holds sleep back), `holders` (how many).
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define OBJECT "/org/freedesktop/login1"
#define PATH "/org/freedesktop/login1/session/_31"
#define MANAGER "org.freedesktop.login1.Manager"
#define SESSION "org.freedesktop.login1.Session"
#define HOLDERS 16

static int held[HOLDERS]; /* reading ends; at their end of file nobody holds any more */
static int holders;
static char holder[64], type[16] = "wayland";
static uint64_t idle_since_us; /* 0: not idle */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int on_inhibit(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	const char *what, *who, *why, *mode;
	int rc, ends[2];

	(void)arg;
	(void)error;
	rc = sd_bus_message_read(m, "ssss", &what, &who, &why, &mode);
	if (rc < 0 || strcmp(what, "sleep") || strcmp(mode, "delay") || holders == HOLDERS)
		return -1;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -1;
	held[holders++] = ends[0];
	snprintf(holder, sizeof(holder), "%s", sd_bus_message_get_sender(m));
	rc = sd_bus_reply_method_return(m, "h", ends[1]);
	close(ends[1]);
	return rc;
}

static int on_session(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	const char *id;

	(void)arg;
	if (sd_bus_message_read(m, "s", &id) < 0 || strcmp(id, "auto"))
		return sd_bus_error_set(error, "org.freedesktop.login1.NoSuchSession", "none");
	return sd_bus_reply_method_return(m, "o", PATH);
}

static int get(sd_bus *bus, const char *path, const char *interface, const char *name,
	       sd_bus_message *reply, void *arg, sd_bus_error *error)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)arg;
	(void)error;
	if (!strcmp(name, "Type"))
		return sd_bus_message_append(reply, "s", type);
	if (!strcmp(name, "IdleHint"))
		return sd_bus_message_append(reply, "b", idle_since_us != 0);
	return sd_bus_message_append(reply, "t", idle_since_us);
}

static const sd_bus_vtable manager[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Inhibit", "ssss", "h", on_inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("GetSession", "s", "o", on_session, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL("PrepareForSleep", "b", 0),
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable session[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Type", "s", get, 0, 0),
	SD_BUS_PROPERTY("IdleHint", "b", get, 0, 0),
	SD_BUS_PROPERTY("IdleSinceHintMonotonic", "t", get, 0, 0),
	SD_BUS_SIGNAL("Lock", "", 0),
	SD_BUS_VTABLE_END,
};

/* How many still hold sleep back. */
static int count(void)
{
	int n = 0;

	for (int i = 0; i < holders; i++) {
		struct pollfd p = {.fd = held[i], .events = POLLIN};

		n += poll(&p, 1, 0) == 0;
	}
	return n;
}

static void serve(sd_bus *bus, int ms)
{
	while (sd_bus_process(bus, NULL) > 0)
		;
	(void)sd_bus_wait(bus, (uint64_t)ms * 1000);
	while (sd_bus_process(bus, NULL) > 0)
		;
}

static const char *announce_sleep(sd_bus *bus)
{
	int64_t end = now_ms() + 5000;

	sd_bus_emit_signal(bus, OBJECT, MANAGER, "PrepareForSleep", "b", 1);
	while (count() && now_ms() < end)
		serve(bus, 20);
	return count() ? "held" : "released";
}

static void obey(sd_bus *bus, char *line)
{
	const char *say = "ok";
	char number[16];

	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "sleep")) {
		say = announce_sleep(bus);
	} else if (!strcmp(line, "wake")) {
		sd_bus_emit_signal(bus, OBJECT, MANAGER, "PrepareForSleep", "b", 0);
	} else if (!strcmp(line, "lock")) {
		sd_bus_emit_signal(bus, PATH, SESSION, "Lock", "");
	} else if (!strncmp(line, "idle ", 5)) {
		idle_since_us = (uint64_t)(now_ms() - strtol(line + 5, NULL, 10) * 1000) * 1000;
	} else if (!strcmp(line, "active")) {
		idle_since_us = 0;
	} else if (!strncmp(line, "type ", 5)) {
		snprintf(type, sizeof(type), "%.15s", line + 5);
	} else if (!strcmp(line, "who")) {
		say = holder;
	} else if (!strcmp(line, "holders")) {
		snprintf(number, sizeof(number), "%d", count());
		say = number;
	} else {
		say = "what?";
	}
	sd_bus_flush(bus);
	puts(say);
	fflush(stdout);
}

int main(void)
{
	sd_bus *bus = NULL;
	char line[128];

	if (sd_bus_open_system(&bus) < 0 ||
	    sd_bus_add_object_vtable(bus, NULL, OBJECT, MANAGER, manager, NULL) < 0 ||
	    sd_bus_add_object_vtable(bus, NULL, PATH, SESSION, session, NULL) < 0 ||
	    sd_bus_request_name(bus, "org.freedesktop.login1", 0) < 0) {
		puts("no bus");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

		serve(bus, 10);
		if (poll(&p, 1, 10) <= 0)
			continue;
		/* A line at a time: each command is answered before the next is written. */
		if (!fgets(line, sizeof(line), stdin))
			break;
		obey(bus, line);
	}
	sd_bus_unref(bus);
	return 0;
}
