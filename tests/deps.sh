#!/bin/bash
# Installs what building and testing need, with plain apt-get, and says what.
# SPDX-License-Identifier: Apache-2.0
set -eu
packages=(gcc make pkg-config libfuse3-dev fuse3 libsodium-dev liblmdb-dev libjansson-dev libseccomp-dev
	libacl1-dev libssl-dev libbsd-dev libsystemd-dev dbus liboath-dev libqrencode-dev libzstd-dev oathtool minisign check clang clang-tidy cppcheck libclang-rt-14-dev acl attr git rsync sqlite3
	tar xz-utils procps e2fsprogs vim-tiny nano expect shellcheck desktop-file-utils)
missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "journalfs: these packages are needed; install them as root: ${missing[*]}" >&2
		exit 1
	}
	sudo=sudo
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
