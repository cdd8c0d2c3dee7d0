#!/bin/bash
# Large desktop programs on a real mount (outside CI: they are large to install).
# SPDX-License-Identifier: Apache-2.0
cd "$(dirname "$0")/../.." || exit 1
if ! command -v soffice >/dev/null; then
	echo "installing: libreoffice-writer-nogui (large)"
	${SUDO:-} apt-get update -qq && DEBIAN_FRONTEND=noninteractive ${SUDO:-} apt-get install -y -qq --no-install-recommends \
		libreoffice-writer-nogui >/dev/null || exit 1
fi

export BUILD=${BUILD:-build}
rc=0
for t in apps versions report; do bash "tests/apps/$t.sh" || rc=1; done
exit $rc
