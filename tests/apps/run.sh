#!/bin/bash
# Large desktop programs on a real mount (outside CI: they are large to install).
# SPDX-License-Identifier: Apache-2.0
cd "$(dirname "$0")/../.." || exit 1
if ! command -v soffice >/dev/null; then
	echo "installing: libreoffice-writer-nogui (large)"
	${SUDO:-} apt-get update -qq && DEBIAN_FRONTEND=noninteractive ${SUDO:-} apt-get install -y -qq --no-install-recommends \
		libreoffice-writer-nogui >/dev/null || exit 1
fi
set -- tests/apps/apps.sh
export BUILD=${BUILD:-build}
bash "$1"
