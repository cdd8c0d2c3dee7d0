/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/daemon.c - the whole daemon, from the first line to the last.
 *
 * Order matters: no core and no onlooker first; into the background while there
 * is one thread; files restricted before the vault is opened (its threads inherit
 * that), system calls after (harden.c says why); then it says that it is ready.
 * The way back is the mirror image: sessions, mounts, vault.
 *
 * What is written to standard error is the operator's: paths and remedies, never
 * a practitioner's or a patient's name.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "alert.h"
#include "forward.h"
#include "control.h"
#include "harden.h"
#include "memory.h"

struct daemon {
	const struct fs_daemon_config *cfg;
	int ready[2]; /* who waits for "R" or an error text; -1 none */
	char socket_dir[PATH_MAX];
	struct fs_vault *vault;
	struct fs_serve *serve;
	struct fs_harden_report harden;
	struct fs_alert syslog;
	struct fs_forward forward;
	pthread_mutex_t lock;	    /* control and serve, for the vault's callbacks */
	struct fs_control *control;
};

static struct fs_control *to_stop; /* for the signal handler; set before signals are let in */

/* ---- telling ---- */

static void write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* nobody listens any more */
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void tell_ready(struct daemon *d, const char *text)
{
	for (int i = 0; i < 2; i++) {
		if (d->ready[i] < 0)
			continue;
		write_all(d->ready[i], text, strlen(text));
		close(d->ready[i]);
		d->ready[i] = -1;
	}
}

static int __attribute__((format(printf, 3, 4)))
fail(struct daemon *d, int rc, const char *fmt, ...)
{
	char text[2200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "journalfs: %s\n", text);
	tell_ready(d, text);
	return rc;
}

/* One line to the service manager, when there is one (sd_notify(3), without its library). */
static void notify(const char *line)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@') /* abstract */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, line, strlen(line), MSG_NOSIGNAL, (struct sockaddr *)&to,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

/* ---- what the vault reports ---- */

static void policy_changed(void *ctx)
{
	struct daemon *d = ctx;

	pthread_mutex_lock(&d->lock);
	if (d->control)
		fs_control_policy_changed(d->control);
	pthread_mutex_unlock(&d->lock);
}

/* The committer's thread: the notifiers do the work. */
static void failed(void *ctx, uint32_t journal)
{
	struct daemon *d = ctx;

	if (!journal)
		fputs("journalfs: THE DISK FAILED: changes of the last moments are lost; the vault is "
		      "served read-only, as it last was on disk\n", stderr);
	pthread_mutex_lock(&d->lock);
	if (d->serve)
		fs_serve_forget(d->serve);
	pthread_mutex_unlock(&d->lock);
}

static void session_over(void *ctx, struct fs_session *s, const char *why)
{
	struct daemon *d = ctx;

	/* From fs_vault_tick, which the control's own clock calls: it is there. */
	fs_control_session_over(d->control, s, why);
}

static void alarm_raised(void *ctx, const char *text)
{
	(void)ctx;
	(void)text; /* may name people */
	fputs("journalfs: ALARM: damage, forgery or misuse was found; what it was stands in the "
	      "access log (`journalfs audit show`)\n", stderr);
}

/* For people who watch the system's log; there may be none. */
static void alert(void *ctx, const char *text)
{
	struct daemon *d = ctx;

	(void)fs_alert_say(&d->syslog, text);
}

static void forward(void *ctx, const struct policy_record *r, enum policy_forward how)
{
	struct daemon *d = ctx;

	fs_forward_send(&d->forward, r, how);
}

/* ---- the stages ---- */

static void on_signal(int number)
{
	(void)number;
	fs_control_stop(to_stop);
}

static void own_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

/* Nothing arrives before there is something to stop; later threads inherit that. */
static void block_signals(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigaction(SIGPIPE, &ignore, NULL);
	own_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void admit_signals(struct fs_control *control)
{
	struct sigaction stop = {.sa_handler = on_signal};
	sigset_t set;

	to_stop = control;
	own_signals(&set);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* The process that was started stays until the daemon is ready, and passes on how it went. */
static _Noreturn void wait_ready(int fd)
{
	char text[2200];
	size_t got = 0;
	ssize_t n;

	while (got < sizeof(text) - 1 && (n = read(fd, text + got, sizeof(text) - 1 - got)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	/* An error was printed where it arose. */
	_exit(got && text[0] == 'R' ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int into_background(struct daemon *d)
{
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid) {
		close(pair[1]);
		wait_ready(pair[0]);
	}
	close(pair[0]);
	d->ready[1] = pair[1];
	/* A second fork, so that no terminal can become ours. */
	if (setsid() < 0 || (pid = fork()) < 0)
		return -errno;
	if (pid)
		_exit(EXIT_SUCCESS);
	return chdir("/") ? -errno : 0;
}

/* Once ready, nothing of the terminal is held. */
static void let_go_of_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

static void raise_limit(int what)
{
	struct rlimit r;

	if (getrlimit(what, &r) || r.rlim_cur == r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(what, &r);
}

/* The directories that files are restricted to must be there; the vault says it better. */
static int restrict_files(struct daemon *d)
{
	const struct fs_daemon_config *cfg = d->cfg;
	const char *rw[4];
	const char *ro[] = {"/proc",	"/etc",		"/usr",
			    "/lib",	"/lib64",	"/sys/devices/system/cpu",
			    "/dev/null", "/dev/urandom", cfg->state.host_secret};
	const char *slash = strrchr(cfg->socket, '/');
	size_t n = 0, n_ro = sizeof(ro) / sizeof(ro[0]) - !cfg->state.host_secret;
	int rc;

	snprintf(d->socket_dir, sizeof(d->socket_dir), "%.*s",
		 slash ? (int)(slash - cfg->socket) : 0, cfg->socket);
	if (!slash || slash == cfg->socket)
		return fail(d, -EINVAL, "the socket's path must be absolute and not in the root "
					"directory: %s", cfg->socket);
	if (mkdir(d->socket_dir, 0700) == 0 && !cfg->alone)
		(void)chmod(d->socket_dir, 0755);
	(void)mkdir(cfg->state.dir, 0700);
	if (access(cfg->vault, F_OK) == 0)
		rw[n++] = cfg->vault;
	if (access(cfg->state.dir, F_OK) == 0)
		rw[n++] = cfg->state.dir;
	if (access(d->socket_dir, F_OK) == 0)
		rw[n++] = d->socket_dir;
	if (access("/dev/fuse", F_OK) == 0)
		rw[n++] = "/dev/fuse";
	rc = fs_harden_files(rw, n, ro, n_ro, &d->harden);
	return rc ? fail(d, rc, "the daemon could not restrict itself to its files (Landlock): %s",
			 strerror(-rc))
		  : 0;
}

/*
 * Alone, the daemon before this one may be closing the vault still: its socket goes first, so that
 * a client finds nobody and starts us. That takes a moment, which is given.
 */
static int open_vault(struct daemon *d, const struct fs_vault_config *cfg, struct fs_say *say)
{
	struct timespec step = {.tv_nsec = 50000000};
	int rc = fs_vault_open(cfg, &d->vault, say);

	for (int i = 0; i < 200 && rc == -EBUSY && d->cfg->exit_when_idle; i++) {
		nanosleep(&step, NULL);
		rc = fs_vault_open(cfg, &d->vault, say);
	}
	return rc;
}

static int open_all(struct daemon *d, struct fs_say *say)
{
	const struct fs_daemon_config *cfg = d->cfg;
	const struct fs_vault_config vault = {
		.path = cfg->vault,
		.state = cfg->state,
		.policy_changed = policy_changed,
		.alarm = alarm_raised,
		.failed = failed,
		.session_over = session_over,
		.alert = alert,
		.forward = cfg->syslog ? forward : NULL,
		.notifies = cfg->alone || cfg->notifies,
		.notify_uid = cfg->alone ? geteuid() : cfg->notify_uid,
		.ctx = d,
	};
	struct fs_control_config control = {
		.socket = cfg->socket,
		.alone = cfg->alone,
		.exit_when_idle = cfg->exit_when_idle,
		.notifies = vault.notifies,
		.notify_uid = vault.notify_uid,
		.forward = &d->forward,
	};
	struct fs_serve *sv = NULL;
	struct fs_control *c = NULL;
	int rc;

	rc = open_vault(d, &vault, say);
	if (!rc)
		rc = fs_serve_new(d->vault, &sv);
	if (rc)
		return rc;
	pthread_mutex_lock(&d->lock);
	d->serve = sv;
	pthread_mutex_unlock(&d->lock);
	control.vault = d->vault;
	control.serve = sv;
	rc = fs_control_new(&control, &c, say);
	if (rc)
		return rc;
	pthread_mutex_lock(&d->lock);
	d->control = c;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

/* Sessions have ended; the workers go before what they report to, the vault last. */
static int close_all(struct daemon *d)
{
	struct fs_control *c;
	struct fs_serve *sv;

	pthread_mutex_lock(&d->lock);
	sv = d->serve;
	d->serve = NULL;
	pthread_mutex_unlock(&d->lock);
	fs_serve_free(sv);
	pthread_mutex_lock(&d->lock);
	c = d->control;
	d->control = NULL;
	pthread_mutex_unlock(&d->lock);
	fs_control_free(c);
	return d->vault ? fs_vault_close(d->vault) : 0;
}

static int serve(struct daemon *d)
{
	struct fs_say say = {""};
	int rc;

	rc = open_all(d, &say);
	if (rc)
		return fail(d, rc, "%s", say.text[0] ? say.text : strerror(-rc));
	rc = fs_harden_calls(&d->harden);
	if (rc)
		return fail(d, rc, "the daemon could not give up system calls (seccomp): %s",
			    strerror(-rc));
	if (!d->harden.landlock || !d->harden.seccomp)
		fprintf(stderr, "journalfs: this kernel lacks%s%s: the daemon serves without\n",
			d->harden.landlock ? "" : " Landlock", d->harden.seccomp ? "" : " seccomp");
	fs_control_hardened(d->control, &d->harden);
	admit_signals(d->control);
	tell_ready(d, "R");
	notify("READY=1\n");
	if (!d->cfg->foreground)
		let_go_of_terminal();
	rc = fs_control_run(d->control);
	notify("STOPPING=1\n");
	return rc;
}

int fs_daemon_run(const struct fs_daemon_config *cfg)
{
	struct daemon d = {.cfg = cfg, .ready = {cfg->ready_fd, -1}};
	int rc, rc2;

	pthread_mutex_init(&d.lock, NULL);
	block_signals();
	fs_memory_init();
	rc = fs_harden_early();
	if (!rc && !cfg->foreground)
		rc = into_background(&d);
	if (rc)
		return fail(&d, EXIT_FAILURE, "the daemon could not start: %s", strerror(-rc));
	raise_limit(RLIMIT_NOFILE);
	raise_limit(RLIMIT_MEMLOCK);
	(void)fs_alert_open(&d.syslog, NULL);
	rc = fs_forward_open(&d.forward, cfg->syslog, cfg->syslog_enterprise);
	if (rc)
		rc = fail(&d, EXIT_FAILURE, "--syslog %s: %s", cfg->syslog,
			  rc == -EINVAL ? "give unix:/PATH, udp:ADDRESS:PORT or udp:[ADDRESS]:PORT, with an address "
					  "in numbers"
					: strerror(-rc));
	if (!rc)
		rc = restrict_files(&d);
	if (!rc)
		rc = serve(&d);
	block_signals();
	rc2 = close_all(&d);
	if (rc2)
		fprintf(stderr, "journalfs: the vault did not close cleanly: %s\n", strerror(-rc2));
	fs_alert_close(&d.syslog);
	fs_forward_close(&d.forward);
	pthread_mutex_destroy(&d.lock);
	return rc || rc2 ? EXIT_FAILURE : EXIT_SUCCESS;
}
