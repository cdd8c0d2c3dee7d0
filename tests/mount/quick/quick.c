/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/quick.c - preloaded into the commands of most mount tests: a passphrase is stretched with the least
 * that is accepted, whatever was asked for. What guards a passphrase is tested by unit tests and by the scripts that
 * say SLOW_KEYS; here half a second and 256 MiB for each of a thousand log-ins would be the greater part of the time.
 */
#include <dlfcn.h>
#include <stddef.h>

typedef int (*stretch)(unsigned char *out, unsigned long long out_len, const char *pass,
		       unsigned long long pass_len, const unsigned char *salt, unsigned long long ops,
		       size_t memory, int alg);

int crypto_pwhash(unsigned char *out, unsigned long long out_len, const char *pass,
		  unsigned long long pass_len, const unsigned char *salt, unsigned long long ops,
		  size_t memory, int alg)
{
	stretch real = (stretch)dlsym(RTLD_NEXT, "crypto_pwhash");

	(void)ops;
	(void)memory;
	return real ? real(out, out_len, pass, pass_len, salt, 1, 8192u << 10, alg) : -1;
}
