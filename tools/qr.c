/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/qr.c - see qr.h. The only file that includes libqrencode.
 */
#include <errno.h>
#include <qrencode.h>
#include <stdbool.h>
#include "../keys/label.h"
#include "qr.h"

#define QUIET 2 /* modules around it */

static bool dark(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width &&
	       (q->data[y * q->width + x] & 1);
}

int tools_qr_print(FILE *to, const char *text)
{
	/* by (upper dark, lower dark): black on white, set by the escape sequence */
	static const char *const cell[2][2] = {{" ", "\xe2\x96\x84"}, {"\xe2\x96\x80", "\xe2\x96\x88"}};
	QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);

	if (!q)
		return -EINVAL;
	for (int y = -QUIET; y < q->width + QUIET; y += 2) {
		fputs("\x1b[30;107m", to);
		for (int x = -QUIET; x < q->width + QUIET; x++)
			fputs(cell[dark(q, x, y)][dark(q, x, y + 1)], to);
		fputs("\x1b[0m\n", to);
	}
	keys_wipe(q->data, (size_t)q->width * (size_t)q->width);
	QRcode_free(q);
	return 0;
}
