/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/qr.h - a QR code on a terminal.
 */
#ifndef TOOLS_QR_H
#define TOOLS_QR_H

#include <stdio.h>

/* In half blocks of UTF-8, dark on light whatever the terminal's colors are. -EINVAL: it does not fit. */
int tools_qr_print(FILE *to, const char *text);

#endif
