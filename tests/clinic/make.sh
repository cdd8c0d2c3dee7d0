#!/bin/bash
# Writes the policy files of the made-up practice into a directory: those beside this script, and plain
# journals up to 2,000 in all. The same ones each time.
# SPDX-License-Identifier: Apache-2.0
#
# usage: make.sh DIR [JOURNALS]
set -eu
here=$(dirname "$(realpath "$0")")
dir=${1:?usage: make.sh DIR [JOURNALS]} all=${2:-2000}
mkdir -p "$dir/journals"
cp -r "$here/practice.policy" "$here/practice.d" "$dir/"
cp "$here"/journals/*.policy "$dir/journals/"
have=$(find "$dir/journals" -name '*.policy' | wc -l)
# Numbers of days that do not exist, so that none is anybody's.
awk -v n=$((all - have)) -v dir="$dir/journals" '
function draw(below) {
	seed = (seed * 16807) % 2147483647
	return int(seed / 2147483647 * below)
}
function pick(list,    a, k) {
	k = split(list, a, " ")
	return a[draw(k) + 1]
}
BEGIN {
	seed = 20261128
	family = "Aas Beck Carlsen Dam Eide Friis Gade Hauge Iversen Jensen Kaas Lie Moe Nygaard Olesen Paulsen Quist Ravn Sand Toft Urdal Vik Wold Ytre"
	given = "Agnes Birk Clara David Elin Finn Gerda Hugo Inga Jon Kaja Leo Mia Noah Olga Per Rosa Sten Tora Ulf Vera Will Ylva"
	for (i = 1; i <= n; i++) {
		who = draw(10)
		name = sprintf("99%02d%02d-%04d %s, %s", draw(12) + 1, draw(100), i, pick(family), pick(given))
		file = dir "/" name ".policy"
		unit = who < 6 ? "doctors" : who < 9 ? "physio" : "mind"
		main = unit == "doctors" ? pick("anna bjorn eva henrik solveig") : \
		       unit == "physio" ? pick("jonas karla ole petra sigurd") : pick("ulla viggo wenche yrsa")
		printf "journal \"%s\"\nunit    %s\nallow   user:%s:rwx  reason \"treating\"\n", name, unit, main >file
		# Whoever is on leave has somebody who stands in; a few see two of the practice.
		if (main == "henrik")
			printf "allow   user:anna:rwx  reason \"for henrik\"\n" >file
		if (main == "petra")
			printf "allow   user:ole:rwx  reason \"for petra\"\n" >file
		if (draw(20) == 0 && unit != "physio")
			printf "allow   user:karla:r-x  reason \"physiotherapy as well\"\n" >file
		if (draw(25) == 0 && unit == "doctors")
			printf "allow   user:viggo:r-x  reason \"talks with him\"\n" >file
		close(file)
	}
}'
