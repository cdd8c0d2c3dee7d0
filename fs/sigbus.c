/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/sigbus.c - the SIGBUS handler; see sigbus.h.
 *
 * No address is compared: inside the guard a thread touches nothing but mapped
 * files and private memory, and private memory does not raise SIGBUS. A signal
 * that somebody sent is no fault and is passed on.
 */
#include "sigbus.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

_Thread_local sigjmp_buf *volatile fs_sigbus_guard;
static struct sigaction before;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	bool fault = info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR ||
		     info->si_code == BUS_MCEERR_AR;

	if (fault && fs_sigbus_guard)
		siglongjmp(*fs_sigbus_guard, 1);
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(sig, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(sig);
	} else {
		/* The instruction faults again and ends the process as it would have. */
		signal(SIGBUS, SIG_DFL);
		if (!fault)
			raise(SIGBUS);
	}
}

static void install(void)
{
	/* NODEFER: the handler leaves by siglongjmp, which then has no mask to restore. */
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, &before);
}

void fs_sigbus_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
